import {spawn} from 'node:child_process';
import {createHash} from 'node:crypto';
import {once} from 'node:events';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http';
import type {AddressInfo} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {checkExt4, debugfs, hasExt4Tools} from '#main/ext4/testing';
import {findImage} from './find-image.ts';
import {ImageStore} from './image-store.ts';
import {inspectImage, openImage, pullImage} from './index.ts';
import {parseReference} from './reference.ts';
import {
	descriptorOf,
	hasOciPrograms,
	type MadeBlob,
	type MadeParts,
	makeBlob,
	makeImage,
	ociProgram,
	pushImage,
	realRegistry,
	writeLayout,
} from './testing/index.ts';

const freeBytes = 2 ** 24;

async function folderOf(t: ExecutionContext): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'registry-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	return folder;
}

/** What a registry does about a blob, instead of giving it. @returns 'give' to give it after all */
type Misdeed = (request: IncomingMessage, response: ServerResponse, blob: MadeBlob) => unknown;

interface Served {
	readonly host: string;
	/** Paths that were asked for, with ranges. */
	readonly asked: string[];
}

/** A registry that has one image, of whatever tag. */
async function serve(
	t: ExecutionContext,
	{manifest, blobs}: MadeParts,
	misdeed: Misdeed = () => 'give',
): Promise<Served> {
	const asked: string[] = [];
	const server = createServer((request, response) => {
		const {url = '', headers} = request;
		const [, what, name = ''] = /^\/v2\/team\/app\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
		asked.push(`${what} ${name.slice(0, 12)}${headers.range === undefined ? '' : ` ${headers.range}`}`);
		const blob = what === 'manifests' && !name.startsWith('sha256:') ? manifest : blobs.get(name);
		response.on('error', () => {});
		if (blob === undefined) return response.writeHead(404).end();
		if (misdeed(request, response, blob) !== 'give') return;
		const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
		const length = blob.size;
		const range = {'content-range': `bytes ${from}-${length - 1}/${length}`};
		return response
			.writeHead(from > 0 ? 206 : 200, {'content-type': blob.mediaType, ...(from > 0 && range)})
			.end(blob.bytes.subarray(from));
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	t.teardown(() => server.close());
	t.teardown(() => server.closeAllConnections());
	return {host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked};
}

/** Nothing compresses it. */
const noise = Buffer.concat(
	Array.from({length: 65_000}, (_, index) => createHash('sha256').update(`${index}`).digest()),
);
const image = makeImage({
	layers: [[{path: 'etc/motd', data: 'hello'}], [{path: 'noise', data: noise}], [{path: 'etc/motd', data: 'hallo'}]],
	compression: 'gzip',
	config: {Cmd: ['/bin/sh']},
	docker: true,
});
const large = image.layers[1] as MadeBlob;

/** Fetches it with little patience. */
async function pull(cache: string, host: string, signal?: AbortSignal) {
	const store = await ImageStore.open(cache);
	const reference = parseReference(`${host}/team/app:v1`);
	const patience = {spans: [], waitsMs: [1, 1], wholeMs: 600_000};
	return findImage(store, {kind: 'reference', reference}, {pull: 'always', patience, progress: () => {}, signal});
}

test('an image is fetched, and then needs no registry', async (t) => {
	const cache = join(await folderOf(t), 'cache');
	const {host, asked} = await serve(t, image);
	const progress: string[] = [];
	const opened = await openImage(
		{image: `${host}/team/app`, cache, freeBytes},
		{progress: (step, done, total) => progress.push(`${step} ${done <= total}`)},
	);
	t.like(opened, {kind: 'root', digest: image.manifest.digest, config: {cmd: ['/bin/sh']}});
	t.is(asked.length, 5);
	t.deepEqual([...new Set(progress)], ['resolve true', 'download true', 'unpack true', 'write true']);
	if (hasExt4Tools && opened.kind === 'root') {
		checkExt4(t, opened.path);
		t.is(debugfs(opened.path, 'cat /etc/motd'), 'hallo');
	}
	await openImage({image: `${host}/team/app:latest`, cache, freeBytes});
	t.is(asked.length, 5);
	await pullImage({image: `${host}/team/app`, cache});
	t.is(asked.length, 6, 'what is there is not fetched again');
	await t.throwsAsync(openImage({image: `${host}/team/other`, cache, pull: 'never'}), {
		code: 'OCI_IMAGE_UNKNOWN',
		message: /team\/app/,
	});
});

test('what is gone from the cache is fetched again', async (t) => {
	const cache = join(await folderOf(t), 'cache');
	const {host, asked} = await serve(t, image);
	const request = {image: `${host}/team/app:v1`, cache, freeBytes};
	const opened = await openImage(request);
	for (const {digest} of [image.manifest, image.config, large]) {
		await rm(join(cache, 'sha256', digest.slice(7)));
		if (opened.kind === 'root') await rm(opened.path);
		asked.length = 0;
		t.deepEqual(await openImage(request), opened);
		t.true(asked.length <= 3, 'and nothing else');
	}
});

test('an index leads to the image of machines here', async (t) => {
	const cache = join(await folderOf(t), 'cache');
	const index = makeBlob('application/vnd.docker.distribution.manifest.list.v2+json', {
		schemaVersion: 2,
		mediaType: 'application/vnd.docker.distribution.manifest.list.v2+json',
		manifests: [{...descriptorOf(image.manifest), platform: {os: 'linux', architecture: 'amd64'}}],
	});
	const {host} = await serve(t, {...image, manifest: index, blobs: new Map([...image.blobs, [index.digest, index]])});
	t.is((await pullImage({image: `${host}/team/app`, cache})).digest, image.manifest.digest);
	t.is((await inspectImage(`${host}/team/app`, {cache})).layers.length, 3);
	t.is((await pullImage({image: `${host}/team/app@${index.digest}`, cache})).digest, image.manifest.digest);
});

test('what breaks off goes on where it was, also in a later run', async (t) => {
	const cache = join(await folderOf(t), 'cache');
	let cuts = 4;
	const {host, asked} = await serve(t, image, (request, response, blob) => {
		if (blob !== large || cuts-- <= 0) return 'give';
		const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
		const part = blob.bytes.subarray(from, from + 400_000);
		response.writeHead(from > 0 ? 206 : 200, {
			'content-range': `bytes ${from}-${blob.size - 1}/${blob.size}`,
			'content-length': blob.size - from,
		});
		return response.write(part, () => response.destroy());
	});
	await t.throwsAsync(pull(cache, host), {code: 'REGISTRY_UNREACHABLE'});
	t.like(await pull(cache, host), {kind: 'image'});
	const ranges = asked.filter((each) => each.includes('bytes=')).map((each) => Number(/\d+(?=-)/.exec(each)?.[0]));
	t.is(ranges.length, 4);
	t.deepEqual(
		ranges,
		ranges.toSorted((a, b) => a - b),
	);
	t.true((ranges.at(-1) as number) > 400_000);
});

const misdeeds: readonly (readonly [what: string, misdeed: Misdeed, code: string])[] = [
	[
		'gives other bytes',
		(_, response, {size}) => response.writeHead(200).end(Buffer.alloc(size, 7)),
		'REGISTRY_FILE_DAMAGED',
	],
	[
		'gives too many bytes',
		(_, response, {size}) => response.writeHead(200).end(Buffer.alloc(size + 1)),
		'REGISTRY_TOO_LARGE',
	],
	['gives bytes without end', (_, response) => endless(response.writeHead(200)), 'REGISTRY_TOO_LARGE'],
	[
		'gives too few bytes',
		(_, response, {bytes}) => response.writeHead(200).end(bytes.subarray(0, -9)),
		'REGISTRY_CUT_OFF',
	],
	['has it no more', (_, response) => response.writeHead(404).end(), 'REGISTRY_MISSING'],
	[
		'gives a part that nobody has asked for',
		(_, response) => response.writeHead(206, {'content-range': 'bytes 3-9/10'}).end(),
		'REGISTRY_REFUSED',
	],
	[
		'cuts it off each time',
		(_, response) => response.writeHead(200, {'content-length': '9'}).write('x', () => response.destroy()),
		'REGISTRY_UNREACHABLE',
	],
];
for (const [what, misdeed, code] of misdeeds)
	test(`a registry that ${what} is ${code}, and nothing of it is used`, async (t) => {
		const cache = join(await folderOf(t), 'cache');
		const {host} = await serve(t, image, (request, response, blob) =>
			blob === large ? misdeed(request, response, blob) : 'give',
		);
		await t.throwsAsync(pull(cache, host), {code});
		t.false((await readdir(join(cache, 'sha256'))).includes(large.digest.slice(7)));
		t.deepEqual(await readdir(join(cache, 'names')), []);
		const left = await readdir(join(cache, 'partial'));
		t.true(
			left.every((name) => /^[0-9a-f]{64}$/.test(name)),
			'what is left is for the next try',
		);
		// The next try is not spoilt by this one.
		const {host: honest} = await serve(t, image);
		t.like(await pull(cache, honest), {kind: 'image'});
	});

function endless(response: ServerResponse): void {
	const more = () => {
		while (response.write(Buffer.alloc(2 ** 16)));
		response.once('drain', more);
	};
	more();
}

const wrongManifests: readonly (readonly [
	what: string,
	change: (parts: MadeParts) => Partial<MadeParts>,
	code: string,
])[] = [
	[
		'is of another type inside',
		({manifest}) => ({manifest: {...manifest, mediaType: 'application/vnd.oci.image.manifest.v1+json'}}),
		'OCI_JSON_INVALID',
	],
	[
		'has a layer of a type of its own',
		({manifest}) => changed(manifest, /rootfs\.diff\.tar\.gzip/, 'rootfs.diff.tar.bzip9'),
		'OCI_UNSUPPORTED',
	],
	[
		'is no image',
		({manifest}) =>
			changed(manifest, 'application/vnd.docker.container.image.v1+json', 'application/vnd.cncf.helm.config.v1+json'),
		'OCI_UNSUPPORTED',
	],
	[
		'tells a layer of a size that nobody has',
		({manifest}) => changed(manifest, `"size":${large.size}`, `"size":${2 ** 45}`),
		'OCI_JSON_INVALID',
	],
	[
		'tells a smaller layer',
		({manifest}) => changed(manifest, `"size":${large.size}`, `"size":${large.size - 1}`),
		'REGISTRY_TOO_LARGE',
	],
	[
		'tells a larger layer',
		({manifest}) => changed(manifest, `"size":${large.size}`, `"size":${large.size + 1}`),
		'REGISTRY_CUT_OFF',
	],
	[
		'has more than there is room for',
		({manifest}) =>
			changed(
				manifest,
				`"size":${large.size}`,
				`"size":${2 ** 36}`,
				`"size":${image.layers[0]?.size}`,
				`"size":${2 ** 36}`,
			),
		'OCI_TOO_LARGE',
	],
	[
		'has thousands of layers',
		({manifest}) =>
			changed(manifest, '"layers":[', `"layers":[${`${JSON.stringify(descriptorOf(large))},`.repeat(600)}`),
		'OCI_TOO_LARGE',
	],
];
function changed(manifest: MadeBlob, ...changes: readonly (string | RegExp)[]): Partial<MadeParts> {
	let text = manifest.bytes.toString();
	for (let index = 0; index < changes.length; index += 2)
		text = text.replaceAll(
			typeof changes[index] === 'string' ? (changes[index] as string) : new RegExp(changes[index] as RegExp, 'g'),
			changes[index + 1] as string,
		);
	return {manifest: makeBlob(manifest.mediaType, text)};
}
for (const [what, change, code] of wrongManifests)
	test(`a manifest that ${what} is ${code}`, async (t) => {
		const cache = join(await folderOf(t), 'cache');
		const {host} = await serve(t, {...image, ...change(image)});
		await t.throwsAsync(pull(cache, host), {code});
		t.deepEqual(await readdir(join(cache, 'names')), []);
	});

test('several that fetch an image at once get it whole', async (t) => {
	const cache = join(await folderOf(t), 'cache');
	await mkdir(cache, {mode: 0o700});
	const {host} = await serve(t, image);
	const found = await Promise.all(Array.from({length: 6}, () => pull(cache, host)));
	t.true(found.every(({kind}) => kind === 'image'));
	t.deepEqual(await readdir(join(cache, 'partial')), []);
});

test('fetching is given up at once, and goes on where it was', async (t) => {
	const cache = join(await folderOf(t), 'cache');
	const ending = new AbortController();
	const {host} = await serve(t, image, (_, response, blob) => {
		if (blob !== large) return 'give';
		return response
			.writeHead(200, {'content-length': blob.size})
			.write(blob.bytes.subarray(0, 5000), () => ending.abort(new Error('enough')));
	});
	await t.throwsAsync(pull(cache, host, ending.signal), {message: 'enough'});
	const {host: honest} = await serve(t, image);
	t.like(await pull(cache, honest), {kind: 'image'});
});

const real = hasOciPrograms() ? test : test.skip;

/** Runs a program to its end. */
async function run(t: ExecutionContext, name: string, words: readonly string[], cwd: string): Promise<void> {
	const child = spawn(ociProgram(name), words, {cwd, stdio: ['ignore', 'pipe', 'pipe']});
	let said = '';
	for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
	const [status] = await once(child, 'close');
	t.is(status, 0, said);
}

real("an image that umoci has made comes from Debian's registry, by its tag and by its digest", async (t) => {
	const folder = await folderOf(t);
	const umoci = (...words: readonly string[]) => run(t, 'umoci', words, folder);
	const rootfs = join(folder, 'bundle/rootfs');
	await umoci('init', '--layout', 'layout');
	await umoci('new', '--image', 'layout:v1');
	await umoci('unpack', '--rootless', '--image', 'layout:v1', 'bundle');
	await mkdir(join(rootfs, 'etc'), {recursive: true});
	await writeFile(join(rootfs, 'etc/motd'), 'first');
	await writeFile(join(rootfs, 'etc/gone'), 'gone');
	await umoci('repack', '--image', 'layout:v1', 'bundle');
	await writeFile(join(rootfs, 'etc/motd'), 'second');
	await rm(join(rootfs, 'etc/gone'));
	await umoci('unpack', '--rootless', '--image', 'layout:v1', 'again');
	await writeFile(join(folder, 'again/rootfs/etc/motd'), 'second');
	await rm(join(folder, 'again/rootfs/etc/gone'));
	await umoci('repack', '--image', 'layout:v1', 'again');
	await umoci(
		'config',
		'--image',
		'layout:v1',
		'--config.env',
		'A=B',
		'--config.cmd',
		'/bin/motd',
		'--config.workingdir',
		'/etc',
		'--config.exposedports',
		'80/tcp',
	);
	const host = await realRegistry(t, folder);
	await pushImage(join(folder, 'layout'), 'v1', `http://${host}/v2/team/app`);
	const cache = join(folder, 'cache');
	const opened = await openImage({image: `${host}/team/app:v1`, cache, freeBytes});
	if (opened.kind !== 'root') throw new Error(opened.kind);
	t.like(opened.config, {
		env: ['A=B'],
		cmd: ['/bin/motd'],
		workingDir: '/etc',
		exposedPorts: [{port: 80, protocol: 'tcp'}],
	});
	t.is((await inspectImage(`${host}/team/app:v1`, {cache})).layers.length, 2);
	if (hasExt4Tools) {
		checkExt4(t, opened.path);
		t.is(debugfs(opened.path, 'cat /etc/motd'), 'second');
		t.false(debugfs(opened.path, 'ls /etc').includes('gone'));
	}
	const other = join(folder, 'other');
	const same = await openImage({image: `${host}/team/app@${opened.digest}`, cache: other, freeBytes});
	if (same.kind !== 'root') throw new Error(same.kind);
	t.true((await readFile(opened.path)).equals(await readFile(same.path)));
	await t.throwsAsync(pullImage({image: `${host}/team/app:v2`, cache}), {code: 'REGISTRY_MISSING'});
	await t.throwsAsync(pullImage({image: `${host}/team/none`, cache}), {code: 'REGISTRY_MISSING'});
});

real("Debian's registry gives an image of its users' to them alone", async (t) => {
	const folder = await folderOf(t);
	// The password is secret (bcrypt).
	await writeFile(join(folder, 'users'), 'me:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n');
	const host = await realRegistry(t, folder, `auth:\n  htpasswd:\n    realm: users\n    path: ${folder}/users\n`);
	const layout = await writeLayout(join(folder, 'layout'), {v1: image});
	const authorization = `Basic ${Buffer.from('me:secret').toString('base64')}`;
	await pushImage(layout, 'v1', `http://${host}/v2/team/app`, {authorization});
	const request = {image: `${host}/team/app:v1`, cache: join(folder, 'cache')};
	const pulled = await pullImage({...request, credentials: {user: 'me', password: 'secret'}});
	t.is(pulled.digest, image.manifest.digest);
	const refused = await t.throwsAsync(pullImage(request), {code: 'REGISTRY_REFUSED'});
	t.regex((refused as {remedy?: string}).remedy ?? '', /docker login/);
	await t.throwsAsync(pullImage({...request, credentials: {user: 'me', password: 'wrong'}}), {
		code: 'REGISTRY_REFUSED',
	});
});
