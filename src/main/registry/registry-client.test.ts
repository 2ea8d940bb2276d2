import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, rm, writeFile} from 'node:fs/promises';
import {createServer, type IncomingMessage, type RequestListener, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {HostAddresses, Reach} from '#main/download';
import {mutate, randomFrom} from '#main/loader/testing';
import {parseChallenge} from './challenge.ts';
import {dockerCredentials} from './docker-config.ts';
import {RegistryClient} from './registry-client.ts';

const types = ['application/vnd.oci.image.manifest.v1+json'];
const [type] = types as [string];
const digest = `sha256:${'a'.repeat(64)}`;
const patience = {spans: [], waitsMs: [1, 1], wholeMs: 600_000};

/** A server on this host. @returns its host and port */
async function serve(t: ExecutionContext, answer: RequestListener): Promise<string> {
	const server = createServer(answer);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.teardown(() => server.closeAllConnections());
	t.teardown(() => server.close());
	return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const client = (registry: string, more: Partial<ConstructorParameters<typeof RegistryClient>[0]> = {}) =>
	new RegistryClient({registry, repository: 'team/app', patience, ...more});
const json = (response: ServerResponse, status: number, body: unknown, headers = {}) =>
	response.writeHead(status, {'content-type': type, ...headers}).end(JSON.stringify(body));

const hostile: readonly (readonly [what: string, answer: Answer, code: string, message?: RegExp])[] = [
	[
		'gives a page',
		(_, response) => response.writeHead(200, {'content-type': 'text/html'}).end('<html>'),
		'REGISTRY_ANSWER_INVALID',
		/text\/html/,
	],
	[
		'has an image of the first version',
		(_, response) =>
			response.writeHead(200, {'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws'}).end('{}'),
		'REGISTRY_MANIFEST_UNSUPPORTED',
		/v1\+prettyjws/,
	],
	['gives no type', (_, response) => response.writeHead(200).end('{}'), 'REGISTRY_ANSWER_INVALID'],
	['has none', (_, response) => json(response, 404, {errors: [{code: 'MANIFEST_UNKNOWN'}]}), 'REGISTRY_MISSING'],
	[
		'forbids it',
		(_, response) => json(response, 403, {errors: [{code: 'DENIED', message: 'go\x1b[31m away'}]}),
		'REGISTRY_REFUSED',
		/DENIED: go \[31m away$/,
	],
	['wants to know who asks, in no way', (_, response) => json(response, 401, {}), 'REGISTRY_REFUSED'],
	[
		'wants to know in a way of its own',
		(_, response) => json(response, 401, {}, {'www-authenticate': 'Negotiate'}),
		'REGISTRY_REFUSED',
	],
	['is broken', (_, response) => json(response, 500, {}), 'REGISTRY_UNREACHABLE', /HTTP status 500/],
	['is busy', (_, response) => json(response, 429, {}, {'retry-after': '999999'}), 'REGISTRY_BUSY'],
	[
		'gives an endless manifest',
		(_, response) => endless(response.writeHead(200, {'content-type': type})),
		'REGISTRY_TOO_LARGE',
	],
	[
		'leads to a file',
		(_, response) => response.writeHead(307, {location: 'file:///etc/passwd'}).end(),
		'REGISTRY_REDIRECTED',
	],
	['leads nowhere', (_, response) => response.writeHead(307, {location: 'http://['}).end(), 'REGISTRY_REDIRECTED'],
	[
		'leads to where a password is',
		(_, response) => response.writeHead(307, {location: 'http://a:b@127.0.0.1/'}).end(),
		'REGISTRY_REDIRECTED',
	],
	[
		'leads around in circles',
		(request, response) => response.writeHead(307, {location: request.url}).end(),
		'REGISTRY_REDIRECTED',
		/more than 5 times/,
	],
	[
		'sends to a file for a token',
		(_, response) => json(response, 401, {}, {'www-authenticate': 'Bearer realm="file:///etc/passwd"'}),
		'REGISTRY_ANSWER_INVALID',
	],
	[
		'cuts off',
		(_, response) =>
			response.writeHead(200, {'content-type': type, 'content-length': '100'}).write('{', () => response.destroy()),
		'REGISTRY_UNREACHABLE',
	],
	['is no HTTP', (_, response) => response.socket?.end('hello\r\n\r\n'), 'REGISTRY_UNREACHABLE'],
];
for (const [what, answer, code, message] of hostile)
	test(`a registry that ${what} is ${code}`, async (t) => {
		const registry = await serve(t, answer);
		await t.throwsAsync(client(registry).manifest('latest', types), {code, ...(message && {message})});
	});

function endless(response: ServerResponse): void {
	const more = () => {
		while (response.write(Buffer.alloc(2 ** 16, ' ')));
		response.once('drain', more);
	};
	response.on('error', () => {});
	more();
}

test('a registry that nobody is at says so', async (t) => {
	await t.throwsAsync(client('127.0.0.1:1').manifest('latest', types), {
		code: 'REGISTRY_UNREACHABLE',
		message: /ECONNREFUSED/,
	});
});

for (const [what, answer] of [
	['says nothing', () => {}],
	['goes on drop by drop', (response: ServerResponse) => setInterval(() => response.write(' '), 20).unref()],
] as const)
	test(`a registry that ${what} is given up`, async (t) => {
		const registry = await serve(t, (_, response) => {
			if (what !== 'says nothing') response.writeHead(200, {'content-type': type});
			answer(response);
		});
		const impatient = client(registry, {patience: {...patience, spans: [{ms: 100, leastBytes: 1024}], waitsMs: []}});
		await t.throwsAsync(impatient.manifest('latest', types), {code: 'REGISTRY_STALLED'});
	});

test('a layer that comes drop by drop is given up', async (t) => {
	const registry = await serve(t, (_, response) => {
		const timer = setInterval(() => response.write('x'.repeat(64)), 10);
		response.on('close', () => clearInterval(timer));
	});
	const spans = [{ms: 1000, leastBytes: 2 ** 20}];
	const {pieces} = await client(registry, {patience: {...patience, spans, waitsMs: []}}).blob(digest, 0);
	const take = async () => {
		for await (const _ of pieces);
	};
	const message = /comes too slowly: less than 1048576 bytes came in 1 seconds/;
	await t.throwsAsync(take(), {code: 'REGISTRY_STALLED', message});
});

test('a manifest or a token that comes for ever is given up, fast enough as it may be', async (t) => {
	const drop = (response: ServerResponse, headers = {}) => {
		const timer = setInterval(() => response.write(' '.repeat(1024)), 5);
		response.writeHead(200, headers).on('close', () => clearInterval(timer));
	};
	const short = {patience: {...patience, waitsMs: [], wholeMs: 200}};
	const registry = await serve(t, (_, response) => drop(response, {'content-type': type}));
	await t.throwsAsync(client(registry, short).manifest('latest', types), {code: 'REGISTRY_SLOW'});
	const other = await serve(t, (request, response) => {
		if (request.url?.startsWith('/token')) return drop(response);
		const challenge = `Bearer realm="http://${request.headers.host}/token"`;
		return json(response, 401, {}, {'www-authenticate': challenge});
	});
	await t.throwsAsync(client(other, short).manifest('latest', types), {code: 'REGISTRY_SLOW'});
});

test('a layer may take longer than a manifest', async (t) => {
	const registry = await serve(t, async (_, response) => {
		response.write('be');
		setTimeout(() => response.end('gins'), 300);
	});
	const {pieces} = await client(registry, {patience: {...patience, waitsMs: [], wholeMs: 1}}).blob(digest, 0);
	let text = '';
	for await (const piece of pieces) text += Buffer.from(piece).toString();
	t.is(text, 'begins');
});

test('a manifest by a tag is what the registry says that it is', async (t) => {
	let said = digest;
	const registry = await serve(t, (_, response) => json(response, 200, {}, {'docker-content-digest': said}));
	await t.throwsAsync(client(registry).manifest('v1', types), {code: 'REGISTRY_FILE_DAMAGED'});
	said = `sha512:${'a'.repeat(128)}`;
	await t.throwsAsync(client(registry).manifest('v1', types), {code: 'REGISTRY_FILE_DAMAGED'});
	said = `sha512:${createHash('sha512').update('{}').digest('hex')}`;
	await t.notThrowsAsync(client(registry).manifest('v1', types));
	await t.notThrowsAsync(client(registry).manifest(said, types));
	said = `sha384:${'a'.repeat(96)}`;
	await t.notThrowsAsync(client(registry).manifest('v1', types));
});

test('a manifest that is asked for by its checksum has it', async (t) => {
	const registry = await serve(t, (_, response) => json(response, 200, {}));
	await t.throwsAsync(client(registry).manifest(digest, types), {code: 'REGISTRY_FILE_DAMAGED'});
	t.regex((await client(registry).manifest('v1', types)).digest, /^sha256:44136fa3/);
});

test('what passes is tried again, and what does not is not', async (t) => {
	let asked = 0;
	const registry = await serve(t, (_, response) => json(response, ++asked < 3 ? 503 : 200, {}));
	await t.notThrowsAsync(client(registry).manifest('v1', types));
	t.is(asked, 3);
	let refused = 0;
	const other = await serve(t, (_, response) => {
		refused++;
		json(response, 403, {});
	});
	await t.throwsAsync(client(other).manifest('v1', types), {code: 'REGISTRY_REFUSED'});
	t.is(refused, 1);
});

/** A registry that gives nothing without a token, and who was told what. */
function withTokens(told: string[], realm: (request: IncomingMessage) => string): Answer {
	return (request, response) => {
		told.push(`${request.url} ${request.headers.authorization ?? 'nobody'}`);
		if (request.url?.startsWith('/token')) return json(response, 200, {token: 'abc'});
		if (request.headers.authorization === 'Bearer abc') return json(response, 200, {});
		return json(
			response,
			401,
			{},
			{'www-authenticate': `Bearer realm="${realm(request)}",service="a b",scope="repository:team/app:pull"`},
		);
	};
}

for (const credentials of [undefined, {user: 'me', password: 'secret:1'}])
	test(`a token is fetched ${credentials === undefined ? 'by nobody' : 'with a password'}, and kept`, async (t) => {
		const told: string[] = [];
		const registry: string = await serve(
			t,
			withTokens(told, (request) => `http://${request.headers.host}/token`),
		);
		const one = client(registry, {credentials});
		await one.manifest('v1', types);
		await one.manifest('v2', types);
		const who = credentials === undefined ? 'nobody' : `Basic ${Buffer.from('me:secret:1').toString('base64')}`;
		t.deepEqual(told, [
			'/v2/team/app/manifests/v1 nobody',
			`/token?service=a+b&scope=repository%3Ateam%2Fapp%3Apull ${who}`,
			'/v2/team/app/manifests/v1 Bearer abc',
			'/v2/team/app/manifests/v2 Bearer abc',
		]);
	});

test('an identity token is sent to the token server, and to nobody else', async (t) => {
	const told: string[] = [];
	const registry: string = await serve(t, async (request, response) => {
		let body = '';
		for await (const piece of request) body += piece;
		told.push(`${request.method} ${request.url} ${request.headers.authorization ?? 'nobody'} ${body}`);
		if (request.url === '/token') return json(response, 200, {access_token: 'abc'});
		if (request.headers.authorization === 'Bearer abc') return json(response, 200, {});
		const challenge = `Bearer realm="http://${request.headers.host}/token",service="a b"`;
		return json(response, 401, {}, {'www-authenticate': challenge});
	});
	await client(registry, {credentials: {identityToken: 'secret&1'}}).manifest('v1', types);
	const form = 'service=a+b&scope=repository%3Ateam%2Fapp%3Apull&grant_type=refresh_token';
	t.deepEqual(told, [
		'GET /v2/team/app/manifests/v1 nobody ',
		`POST /token nobody ${form}&refresh_token=secret%261&client_id=openvmm`,
		'GET /v2/team/app/manifests/v1 Bearer abc ',
	]);
});

test('a password is told where a registry asks for one, and nowhere else', async (t) => {
	const told: string[] = [];
	const elsewhere = await serve(t, (request, response) => {
		told.push(`elsewhere: ${request.headers.authorization ?? 'nobody'}`);
		response.writeHead(200).end('blob');
	});
	const registry = await serve(t, (request, response) => {
		told.push(request.headers.authorization ?? 'nobody');
		if (request.headers.authorization === undefined)
			return json(response, 401, {}, {'www-authenticate': 'Basic realm="x"'});
		return response.writeHead(307, {location: `http://${elsewhere}/blob`}).end();
	});
	const {pieces} = await client(registry, {credentials: {user: 'me', password: 'x'}}).blob(digest, 0);
	for await (const _ of pieces);
	t.deepEqual(told, ['nobody', 'Basic bWU6eA==', 'elsewhere: nobody']);
});

test('a token server that redirects, is refused, or gives none, ends it', async (t) => {
	for (const [answer, code] of [
		[(response: ServerResponse) => response.writeHead(302, {location: '/elsewhere'}).end(), 'REGISTRY_REDIRECTED'],
		[(response: ServerResponse) => json(response, 200, {token: 'a\nb'}), 'REGISTRY_ANSWER_INVALID'],
		[(response: ServerResponse) => json(response, 200, []), 'REGISTRY_ANSWER_INVALID'],
		[(response: ServerResponse) => json(response, 401, {}), 'REGISTRY_REFUSED'],
		[(response: ServerResponse) => endless(response.writeHead(200)), 'REGISTRY_TOO_LARGE'],
	] as const) {
		const registry: string = await serve(t, (request, response) => {
			if (request.url?.startsWith('/token')) return answer(response);
			return json(response, 401, {}, {'www-authenticate': `Bearer realm="http://${request.headers.host}/token"`});
		});
		await t.throwsAsync(client(registry).manifest('v1', types), {code});
	}
});

test('part of a blob is asked for, and a registry that gives all of it, or another part, is understood', async (t) => {
	const asked: (string | undefined)[] = [];
	let give: 'part' | 'all' | 'other' | 'none' = 'part';
	const registry = await serve(t, (request, response) => {
		asked.push(request.headers.range);
		if (request.headers.range === undefined || give === 'all') response.writeHead(200).end('0123456789');
		else if (give === 'none') response.writeHead(416).end();
		else response.writeHead(206, {'content-range': `bytes ${give === 'part' ? 4 : 5}-9/10`}).end('456789');
	});
	const take = async () => {
		const {start, pieces} = await client(registry).blob(digest, 4);
		let text = '';
		for await (const piece of pieces) text += Buffer.from(piece).toString();
		return {start, text};
	};
	t.deepEqual(await take(), {start: 4, text: '456789'});
	give = 'all';
	t.deepEqual(await take(), {start: 0, text: '0123456789'});
	give = 'none';
	t.deepEqual(await take(), {start: 0, text: '0123456789'});
	give = 'other';
	await t.throwsAsync(take(), {code: 'REGISTRY_ANSWER_INVALID'});
	t.deepEqual(asked, ['bytes=4-', 'bytes=4-', 'bytes=4-', undefined, 'bytes=4-']);
});

test('work that is given up ends at once', async (t) => {
	const ending = new AbortController();
	const registry = await serve(t, () => ending.abort(new Error('enough')));
	await t.throwsAsync(client(registry).manifest('v1', types, ending.signal), {message: 'enough'});
	await t.throwsAsync(client(registry).blob(digest, 0, AbortSignal.abort(new Error('before'))), {message: 'before'});
});

for (const [where, reach] of [
	['the internet', Reach.internet],
	['a network around', Reach.network],
] as const)
	test(`a registry of ${where} leads to nothing nearer, for a blob or a token`, async (t) => {
		const asked: string[] = [];
		const inside = await serve(t, (request, response) => {
			asked.push(`${request.url}`);
			response.writeHead(200).end('secret');
		});
		const outside = await serve(t, (request, response) => {
			asked.push(`${request.headers.host} ${request.headers.authorization ?? 'nobody'}`);
			if (request.url?.includes('manifests'))
				return json(response, 401, {}, {'www-authenticate': `Bearer realm="http://${inside}/token"`});
			return response.writeHead(307, {location: `http://${inside}/latest/meta-data`}).end();
		});
		const [, port] = outside.split(':');
		// As a name server would have it that knows the registry: here it is on this host all the same.
		const resolve = async (url: URL) => {
			const {nearest, farthest, lookup} = await HostAddresses.of(new URL('http://127.0.0.1'));
			const isThere = url.hostname === 'registry.example';
			return isThere ? {nearest: reach, farthest: reach, lookup} : {nearest, farthest, lookup};
		};
		const one = client(`registry.example:${port}`, {plainHttp: true, resolve});
		await t.throwsAsync(one.blob(digest, 0), {code: 'REGISTRY_REDIRECTED', message: /nearer to this host/});
		await t.throwsAsync(one.manifest('v1', types), {code: 'REGISTRY_REDIRECTED', message: /nearer to this host/});
		t.deepEqual(asked, [`registry.example:${port} nobody`, `registry.example:${port} nobody`]);
	});

test('TLS is what is spoken, but to this host', async (t) => {
	const said: Buffer[] = [];
	const {createServer: listen} = await import('node:net');
	const server = listen((socket) =>
		socket
			.once('data', (data) => {
				said.push(data);
				socket.destroy();
			})
			.on('error', () => {}),
	);
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.teardown(() => server.close());
	const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
	const short = {patience: {...patience, waitsMs: []}};
	await t.throwsAsync(client(registry, short).manifest('v1', types), {code: 'REGISTRY_UNREACHABLE'});
	await t.throwsAsync(client(registry, {...short, plainHttp: false}).manifest('v1', types), {
		code: 'REGISTRY_UNREACHABLE',
	});
	t.is(said[0]?.subarray(0, 3).toString(), 'GET');
	// A record of a handshake (RFC 8446, 5.1).
	t.is(said[1]?.[0], 22);
});

test('challenges are read', (t) => {
	t.deepEqual(parseChallenge('Bearer realm="https://a/b",service="c, d",scope="e\\"f"'), {
		scheme: 'bearer',
		parameters: {realm: 'https://a/b', service: 'c, d', scope: 'e"f'},
	});
	t.deepEqual(parseChallenge('basic realm=x'), {scheme: 'basic', parameters: {realm: 'x'}});
	t.is(parseChallenge(''), undefined);
	t.is(parseChallenge('"'), undefined);
	t.deepEqual(parseChallenge(`Bearer ${'a="'.repeat(50_000)}`)?.scheme, 'bearer');
});

test('a mutated challenge is one, or is none', (t) => {
	const random = randomFrom(4);
	const header = Buffer.from('Bearer realm="https://a.example/token",service="b",scope="repository:a/b:pull"');
	for (let round = 0; round < 400; round++)
		t.notThrows(() => parseChallenge(Buffer.from(mutate(Uint8Array.from(header), random)).toString('latin1')));
});

test('credentials are those of docker login', async (t) => {
	const folder = await mkdtemp(join(tmpdir(), 'docker-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	const of = (registry: string, environment = {DOCKER_CONFIG: folder}) => dockerCredentials(registry, environment);
	t.is(await of('docker.io'), undefined);
	const auth = Buffer.from('me:a:b').toString('base64');
	await writeFile(
		join(folder, 'config.json'),
		JSON.stringify({
			credsStore: 'x',
			auths: {
				'https://index.docker.io/v1/': {auth},
				'host:5000': {username: 'u', password: 'p'},
				other: {},
				wrong: {auth: 'Og=='},
			},
		}),
	);
	t.deepEqual(await of('docker.io'), {user: 'me', password: 'a:b'});
	t.deepEqual(await of('host:5000'), {user: 'u', password: 'p'});
	// Many have the name of a helper that is not there: it matters where it is said to have something.
	t.is(await of('host'), undefined);
	t.is(await of('__proto__'), undefined);
	await t.throwsAsync(of('other'), {code: 'REGISTRY_HELPER_FAILED', message: /docker-credential-x .*ENOENT/});
	await t.throwsAsync(of('wrong'), {code: 'REGISTRY_CREDENTIALS_INVALID'});
	await writeFile(join(folder, 'config.json'), '{');
	await t.throwsAsync(of('docker.io'), {code: 'REGISTRY_CREDENTIALS_INVALID'});
	await mkdir(join(folder, 'x', 'config.json'), {recursive: true});
	await t.throwsAsync(of('docker.io', {DOCKER_CONFIG: join(folder, 'x')}), {
		code: 'REGISTRY_CREDENTIALS_INVALID',
		message: /EISDIR/,
	});
});

test('a helper program is asked for what it keeps, and bounded', async (t) => {
	const folder = await mkdtemp(join(tmpdir(), 'docker-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	const helper = async (name: string, script: string) => {
		const path = join(folder, `docker-credential-${name}`);
		await writeFile(path, `#!/bin/sh\n${script}\n`, {mode: 0o755});
	};
	await helper('keeps', `read -r server; printf '{"Username": "%s", "Secret": "of %s"}' "$1" "$server"`);
	await helper('token', `printf '{"Username": "<token>", "Secret": "abc"}'`);
	await helper('none', 'echo credentials not found in native keychain; exit 1');
	await helper('broken', 'echo locked >&2; exit 3');
	await helper('text', 'echo hello');
	await helper('endless', 'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done');
	await helper('hangs', 'exec sleep 1000');
	const names = ['token', 'none', 'broken', 'text', 'endless', 'hangs', '../x'];
	const config = {
		credsStore: 'keeps',
		credHelpers: Object.fromEntries(names.map((name) => [name, name])),
		auths: {'written:1': {username: 'u', password: 'p'}, 'written:2': {identitytoken: 'abc'}},
	};
	await writeFile(join(folder, 'config.json'), JSON.stringify(config));
	const environment = {DOCKER_CONFIG: folder, PATH: `${folder}:${process.env['PATH']}`};
	const of = (registry: string, signal?: AbortSignal) => dockerCredentials(registry, environment, signal);
	t.deepEqual(await of('host:5000'), {user: 'get', password: 'of host:5000'});
	t.deepEqual(await of('docker.io'), {user: 'get', password: 'of https://index.docker.io/v1/'});
	t.deepEqual(await of('token'), {identityToken: 'abc'});
	t.is(await of('none'), undefined);
	t.deepEqual(await of('written:1'), {user: 'u', password: 'p'});
	t.deepEqual(await of('written:2'), {identityToken: 'abc'});
	await t.throwsAsync(of('broken'), {code: 'REGISTRY_HELPER_FAILED', message: /3 locked$/});
	await t.throwsAsync(of('text'), {code: 'REGISTRY_HELPER_FAILED', message: /no user and no secret/});
	await t.throwsAsync(of('endless'), {code: 'REGISTRY_HELPER_FAILED', message: /MAXBUFFER/});
	await t.throwsAsync(of('../x'), {code: 'REGISTRY_HELPER_FAILED', message: /no name/});
	const ending = new AbortController();
	setImmediate(() => ending.abort(new Error('enough')));
	await t.throwsAsync(of('hangs', ending.signal), {message: 'enough'});
});
