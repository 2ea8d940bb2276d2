import {createHash} from 'node:crypto';
import {mkdir, mkdtemp, readdir, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {setTimeout as delay} from 'node:timers/promises';
import {pathToFileURL} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import type {PackageList} from '#main/debian';
import type {MadeDeb} from '#main/debian/testing';
import {HostAddresses, Reach} from '#main/download';
import {parseMirror} from './address.ts';
import {FileFetcher} from './fetch-file.ts';
import {Mirror, type MirrorOptions} from './mirror.ts';
import {PackageCache} from './package-cache.ts';
import {type Answer, type MadeMirror, type MadeSuite, makeMirror, makeSigner, serveMirror} from './testing/index.ts';

const [signer, stranger] = await Promise.all([makeSigner(), makeSigner()]);
const debs: readonly MadeDeb[] = [
	{name: 'first', fields: ['Depends: second'], files: [{path: './a', data: 'a'.repeat(100_000)}]},
	{name: 'second', files: [{path: './b', data: 'b'}]},
];
/** As long as a test lasts, nothing is given up for being slow. */
const patient = {spans: [], waitsMs: [1, 1]};

async function folderOf(t: ExecutionContext): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'mirror-'));
	t.teardown(() => rm(folder, {recursive: true, force: true}));
	return folder;
}

interface Asked {
	readonly suite?: string;
	readonly cacheFolder?: string;
	readonly answer?: Answer;
	readonly options?: Partial<MirrorOptions>;
	readonly signal?: AbortSignal;
}

/** Fetches both packages of a mirror on loopback. Returns their bytes, and what the mirror was asked for. */
async function fetched(t: ExecutionContext, files: MadeMirror, asked: Asked = {}) {
	const {suite = 'made', cacheFolder = await folderOf(t), answer, options = {}, signal} = asked;
	const served = await serveMirror(t, files, answer);
	const cache = await PackageCache.open(cacheFolder);
	const fetcher = new FileFetcher(patient);
	const keyring = {path: 'made.asc', bytes: signer.keyring};
	const suites = [{address: parseMirror(served.address), suite, components: ['main']}];
	const mirror = await Mirror.open(suites, {cache, fetcher, keyring, ...options}, signal);
	const choose = (list: PackageList) => ({both: [list.get('first'), list.get('second')]});
	const {both} = await mirror.fetch('amd64', choose, {signal});
	const bytes = await Promise.all(both.map(({path}) => readFile(path)));
	return {bytes, mirror, ...served};
}

const suite = (changes: Partial<MadeSuite> = {}) => makeMirror({debs, signer, ...changes});
const packageList = 'dists/made/main/binary-amd64/Packages.gz';

test('packages come from a mirror, each once, and from the cache when they are there', async (t) => {
	const files = await suite();
	const cacheFolder = await folderOf(t);
	const {bytes, asked} = await fetched(t, files, {cacheFolder});
	t.deepEqual(bytes, [files.get('pool/first.deb'), files.get('pool/second.deb')] as Buffer[]);
	t.is(asked[0], 'dists/made/InRelease');
	t.regex(asked[1] ?? '', /^dists\/made\/main\/binary-amd64\/by-hash\/SHA256\/[0-9a-f]{64}$/);
	t.deepEqual(asked.slice(2).sort(), ['pool/first.deb', 'pool/second.deb']);
	const again = await fetched(t, files, {cacheFolder});
	t.deepEqual(again.bytes, bytes);
	t.deepEqual(again.asked, ['dists/made/InRelease']);
	t.deepEqual(await readdir(join(cacheFolder, 'partial')), []);
});

test('several fetch into one cache at once', async (t) => {
	const files = await suite();
	const cacheFolder = await folderOf(t);
	const all = await Promise.all(Array.from({length: 4}, () => fetched(t, files, {cacheFolder})));
	for (const {bytes} of all) t.deepEqual(bytes, all[0]?.bytes);
});

test('a release without a signature in it has it beside it; indices without by-hash have their names', async (t) => {
	const files = await suite({fields: {'Acquire-By-Hash': ''}});
	files.delete('dists/made/InRelease');
	const {asked, bytes} = await fetched(t, files);
	t.is(bytes.length, 2);
	t.true(asked.includes('dists/made/Release.gpg'));
	t.true(asked.includes(packageList));
});

test('an index that is not below its checksum is fetched by its name', async (t) => {
	const files = await suite();
	for (const path of files.keys()) if (path.includes('by-hash')) files.delete(path);
	t.true((await fetched(t, files)).asked.includes(packageList));
	files.delete(packageList);
	await t.throwsAsync(fetched(t, files), {code: 'MIRROR_FILE_MISSING', message: /Packages\.gz: HTTP status 404/});
});

test('of a release that is signed, what stands around it is not read', async (t) => {
	const files = await suite();
	const release = files.get('dists/made/InRelease')?.toString() ?? '';
	const evil =
		files
			.get('dists/made/Release')
			?.toString()
			.replaceAll(/[0-9a-f]{64}/g, 'f'.repeat(64)) ?? '';
	files.set('dists/made/InRelease', Buffer.from(`${evil}\n${release}\n${evil}`));
	t.deepEqual((await fetched(t, files)).bytes[0], files.get('pool/first.deb') as Buffer);
});

test('a mirror of the internet leads to no network that only this host is in', async (t) => {
	const asked: string[] = [];
	const inside = await serveMirror(t, new Map(), (request, response) => {
		asked.push(request.url ?? '');
		return response.end('secret') !== undefined;
	});
	const target = `${inside.address}/latest/meta-data`;
	const outside = await serveMirror(
		t,
		new Map(),
		(_, response) => response.writeHead(307, {location: target}).end() !== undefined,
	);
	const {port} = new URL(outside.address);
	// As a name server would have it that knows the mirror: here it is on this host all the same.
	const resolve = async (url: URL) => {
		const {nearest, farthest, lookup} = await HostAddresses.of(new URL('http://127.0.0.1'));
		return url.hostname === 'mirror.example'
			? {nearest: Reach.internet, farthest: Reach.internet, lookup}
			: {nearest, farthest, lookup};
	};
	const fetcher = new FileFetcher(patient, resolve);
	const url = new URL(`http://mirror.example:${port}/dists/made/InRelease`);
	await t.throwsAsync(fetcher.bytes(url, 100), {code: 'MIRROR_REDIRECTED', message: /nearer to this host/});
	t.deepEqual(asked, []);
});

test('a mirror may be a folder', async (t) => {
	const folder = await folderOf(t);
	for (const [path, bytes] of await suite()) {
		await mkdir(dirname(join(folder, path)), {recursive: true});
		await writeFile(join(folder, path), bytes);
	}
	const cache = await PackageCache.open(join(folder, 'cache'));
	const open = (name: string) =>
		Mirror.open([{address: parseMirror(pathToFileURL(folder).href), suite: name, components: ['main']}], {
			cache,
			keyring: {path: 'made', bytes: signer.keyring},
		});
	const {both} = await (await open('made')).fetch('amd64', (list) => ({both: [list.get('first')]}));
	t.is(both.length, 1);
	await t.throwsAsync(open('gone'), {code: 'MIRROR_FILE_MISSING'});
});

test('of several suites each package comes in its newest version, from its own mirror', async (t) => {
	const cache = await PackageCache.open(await folderOf(t));
	const newer = {name: 'second', files: [{path: './b', data: 'newer'}]};
	const updates = await makeMirror({
		debs: [newer],
		signer,
		suite: 'made-updates',
		listed: (text) => text.replace('Version: 1.0-1', 'Version: 1.0-2'),
	});
	const [old, recent] = [await serveMirror(t, await suite()), await serveMirror(t, updates)];
	const components = ['main'];
	const mirror = await Mirror.open(
		[
			{address: parseMirror(old.address), suite: 'made', components},
			{address: parseMirror(recent.address), suite: 'made-updates', components},
		],
		{cache, keyring: {path: 'made', bytes: signer.keyring}},
	);
	await mirror.fetch('amd64', (list) => ({all: [list.get('first'), list.get('second')]}));
	t.true(old.asked.includes('pool/first.deb'));
	t.false(old.asked.includes('pool/second.deb'));
	t.true(recent.asked.includes('pool/second.deb'));
});

test('progress counts every byte once, also those that were there', async (t) => {
	const cacheFolder = await folderOf(t);
	const {mirror} = await fetched(t, await suite(), {cacheFolder});
	await rm(join(cacheFolder, 'sha256'), {recursive: true});
	await mkdir(join(cacheFolder, 'sha256'));
	const said: [number, number][] = [];
	const progress = (done: number, total: number) => void said.push([done, total]);
	await mirror.fetch('amd64', (list) => ({all: [list.get('first'), list.get('second')]}), {progress});
	const [done, total] = said.at(-1) as [number, number];
	t.is(done, total);
	t.true(said.every(([part], index) => part >= (said[index - 1]?.[0] ?? 0) && part <= total));
});

/** What a mirror does wrong, and what is said of it. */
const wrong: Readonly<Record<string, (files: MadeMirror) => Promise<[code: string, changes?: Asked]>>> = {
	'a release that was changed': async (files) => {
		const text = files.get('dists/made/InRelease')?.toString() ?? '';
		files.set('dists/made/InRelease', Buffer.from(text.replace('Origin: Made', 'Origin: Evil')));
		return ['MIRROR_SIGNATURE_WRONG'];
	},
	'no signature': async (files) => {
		files.set('dists/made/InRelease', files.get('dists/made/Release') as Buffer);
		return ['MIRROR_SIGNATURE_MISSING'];
	},
	'a signature of somebody else beside it': async (files) => {
		files.delete('dists/made/InRelease');
		files.set('dists/made/Release.gpg', await stranger.detached(files.get('dists/made/Release')?.toString() ?? ''));
		return ['MIRROR_SIGNER_UNKNOWN'];
	},
	'a release that is not there': async (files) => {
		files.delete('dists/made/InRelease');
		files.delete('dists/made/Release');
		return ['MIRROR_FILE_MISSING'];
	},
	'a release without end': async () => [
		'MIRROR_FILE_TOO_LARGE',
		{answer: (request, response) => request.url?.endsWith('InRelease') === true && sendForEver(response)},
	],
	'a list that was changed': async (files) => {
		for (const path of files.keys()) if (/Packages|by-hash/.test(path)) files.set(path, flipped(files.get(path)));
		return ['MIRROR_FILE_DAMAGED'];
	},
	'a package that was changed': async (files) => {
		files.set('pool/first.deb', flipped(files.get('pool/first.deb')));
		return ['MIRROR_FILE_DAMAGED'];
	},
	'a package that is too long': async (files) => {
		files.set('pool/first.deb', Buffer.concat([files.get('pool/first.deb') as Buffer, Buffer.alloc(1)]));
		return ['MIRROR_FILE_TOO_LARGE'];
	},
	'a package that is cut off': async (files) => {
		files.set('pool/first.deb', files.get('pool/first.deb')?.subarray(0, -1) as Buffer);
		return ['MIRROR_FILE_CUT_OFF'];
	},
	'a package that is missing': async (files) => {
		files.delete('pool/first.deb');
		return ['MIRROR_FILE_MISSING'];
	},
	'a package without end': async () => [
		'MIRROR_FILE_TOO_LARGE',
		{answer: (request, response) => request.url === '/pool/first.deb' && sendForEver(response)},
	],
	'a package that never comes': async () => [
		'MIRROR_STALLED',
		{
			answer: (request, response) => request.url === '/pool/first.deb' && response.flushHeaders() === undefined,
			options: {fetcher: new FileFetcher({spans: [{ms: 500, leastBytes: 1024}], waitsMs: []})},
		},
	],
	'an answer that never comes': async () => [
		'MIRROR_STALLED',
		{answer: () => true, options: {fetcher: new FileFetcher({spans: [{ms: 50, leastBytes: 1024}], waitsMs: [1]})}},
	],
	'redirections without end': async () => [
		'MIRROR_REDIRECTED',
		{answer: (_, response) => response.writeHead(302, {location: '/again'}).end() !== undefined},
	],
	'a redirection to a file of the host': async () => [
		'MIRROR_REDIRECTED',
		{answer: (_, response) => response.writeHead(302, {location: 'file:///etc/passwd'}).end() !== undefined},
	],
	'a file that comes drop by drop': async () => [
		'MIRROR_STALLED',
		{
			answer: (_, response) => {
				const timer = setInterval(() => response.write('x'.repeat(64)), 10);
				response.on('close', () => clearInterval(timer));
				return true;
			},
			options: {
				fetcher: new FileFetcher({spans: [{ms: 1000, leastBytes: 2 ** 20}], waitsMs: []}),
			},
		},
	],
	'an error of its own': async () => [
		'MIRROR_UNREACHABLE',
		{answer: (_, response) => response.writeHead(503).end() !== undefined},
	],
	'an answer that breaks off': async () => [
		'MIRROR_UNREACHABLE',
		{answer: (_, response) => response.writeHead(200, {'content-length': 9}).end('half').destroy() !== undefined},
	],
	'a suite that was not asked for': async (files) => {
		files.set('dists/other/InRelease', files.get('dists/made/InRelease') as Buffer);
		return ['MIRROR_RELEASE_INVALID', {suite: 'other'}];
	},
	'a key that has expired since': async () => {
		const [yearAgo, keyExpirationTime] = [new Date(Date.now() - 3600_000 * 24 * 365), 3600 * 24 * 30];
		const old = await makeSigner('curve25519', {date: yearAgo, keyExpirationTime});
		const keyring = {path: 'old', bytes: old.keyring};
		const text = `Suite: made\nDate: ${yearAgo.toUTCString()}\n`;
		const release = await old.inline(text, new Date(yearAgo.getTime() + 3600_000));
		return [
			'MIRROR_SIGNATURE_WRONG',
			{options: {keyring}, answer: (_, response) => response.end(release) !== undefined},
		];
	},
};

function flipped(bytes: Buffer | undefined): Buffer {
	const changed = Buffer.from(bytes ?? []);
	changed[changed.length >> 1] = (changed[changed.length >> 1] as number) ^ 1;
	return changed;
}

function sendForEver(response: Parameters<Answer>[1]): true {
	const piece = Buffer.alloc(2 ** 16);
	const more = () => {
		while (!response.destroyed && response.write(piece));
	};
	response.on('drain', more);
	more();
	return true;
}

for (const [title, make] of Object.entries(wrong)) {
	test(`a mirror is refused that has ${title}`, async (t) => {
		const files = await suite();
		const [code, asked] = await make(files);
		const cacheFolder = await folderOf(t);
		await t.throwsAsync(fetched(t, files, {...asked, cacheFolder}), {code});
		const kept = await readdir(join(cacheFolder, 'sha256'));
		// What is good is kept all the same.
		t.true(kept.length <= 2, kept.join());
	});
}

const refusedReleases: Readonly<Record<string, [changes: Partial<MadeSuite>, code: string]>> = {
	'has expired': [{fields: {'Valid-Until': 'Sat, 05 Dec 2020 02:53:00 UTC'}}, 'MIRROR_RELEASE_EXPIRED'],
	'expires at no time that can be read': [{fields: {'Valid-Until': 'soon'}}, 'MIRROR_RELEASE_EXPIRED'],
	'is of no time': [{fields: {Date: ''}}, 'MIRROR_RELEASE_INVALID'],
	'has no checksums': [{fields: {SHA256: ''}}, 'MIRROR_RELEASE_INVALID'],
	'has a checksum that is none': [{fields: {SHA256: '\n ../../etc/passwd 1 main'}}, 'MIRROR_RELEASE_INVALID'],
	'has no such component': [{fields: {Components: 'contrib'}}, 'MIRROR_RELEASE_INVALID'],
	'has no such architecture': [{fields: {Architectures: 'arm64'}}, 'MIRROR_RELEASE_INVALID'],
	'has no list of packages': [{fields: {SHA256: `\n ${'0'.repeat(64)} 1 other`}}, 'MIRROR_INDEX_INVALID'],
	'names a package that lies elsewhere': [
		{listed: (text) => text.replace('Filename: pool/', 'Filename: pool/../../')},
		'MIRROR_PATH_INVALID',
	],
	'names a package by its address': [
		{listed: (text) => text.replace('Filename: ', 'Filename: http://example.org/')},
		'MIRROR_PATH_INVALID',
	],
	'names a package by a checksum that is a path': [
		{listed: (text) => text.replace(/SHA256: .*/, 'SHA256: ../../../etc/passwd')},
		'MIRROR_INDEX_INVALID',
	],
	'names a package without its checksum': [
		{listed: (text) => text.replace(/SHA256: .*\n/, '')},
		'MIRROR_INDEX_INVALID',
	],
	'names a package of another size': [
		{listed: (text) => text.replace(/Size: .*/, 'Size: 9999999')},
		'MIRROR_FILE_CUT_OFF',
	],
	'is signed by nobody whom the keyring has': [{signer: stranger}, 'MIRROR_SIGNER_UNKNOWN'],
};
for (const [title, [changes, code]] of Object.entries(refusedReleases)) {
	test(`a release is refused that ${title}`, async (t) => {
		const error = await t.throwsAsync(fetched(t, await suite(changes)), {code});
		t.regex(error?.message ?? '', /http:\/\/127\.0\.0\.1/);
	});
}

test('a release that is older than one that was seen is refused, by whoever has the same cache', async (t) => {
	const cacheFolder = await folderOf(t);
	const old = await suite({fields: {Date: 'Sat, 28 Nov 2020 02:53:00 UTC'}});
	const recent = await suite();
	let files = old;
	const served = await serveMirror(t, new Map(), (request, response) => {
		const path = (request.url ?? '').slice(1);
		if (!files.has(path)) response.writeHead(404);
		return response.end(files.get(path)) !== undefined;
	});
	const open = async () =>
		Mirror.open([{address: parseMirror(served.address), suite: 'made', components: ['main']}], {
			cache: await PackageCache.open(cacheFolder),
			keyring: {path: 'made', bytes: signer.keyring},
		});
	t.is((await open()).date, Date.parse('2020-11-28T02:53:00Z') / 1000);
	files = recent;
	await open();
	files = new Map(old);
	files.delete('dists/made/InRelease');
	await t.throwsAsync(open(), {code: 'MIRROR_RELEASE_OLDER', message: /made\/Release/});
	files = old;
	const error = await t.throwsAsync(open(), {code: 'MIRROR_RELEASE_OLDER', message: /2020.*was seen already/});
	const [, file = ''] = /delete (\S+) first/.exec((error as unknown as {remedy: string}).remedy) ?? [];
	await rm(file);
	await open();
});

test('a mirror that changes between its release and its list is asked again', async (t) => {
	const first = await suite({fields: {'Acquire-By-Hash': ''}});
	const second = await suite({fields: {'Acquire-By-Hash': ''}, listed: (text) => `${text}Section: new\n`});
	let releases = 0;
	const answer: Answer = (request, response) => {
		const path = (request.url ?? '').slice(1);
		if (!path.endsWith('InRelease')) return false;
		response.end((releases++ === 0 ? first : second).get(path));
		return true;
	};
	t.is((await fetched(t, second, {answer})).bytes.length, 2);
	t.is(releases, 2);
});

test('an answer that broke off is gone on with, in the same run and in a later one', async (t) => {
	const files = await suite();
	const deb = files.get('pool/first.deb') as Buffer;
	const sha256 = createHash('sha256').update(deb).digest('hex');
	const cacheFolder = await folderOf(t);
	const ranges: (string | undefined)[] = [];
	let isBroken = true;
	const partialHas = async (length: number) => {
		const folder = join(cacheFolder, 'partial');
		for (; ; await delay(5)) {
			const [name] = (await readdir(folder)).filter((each) => each.startsWith(sha256));
			if (name !== undefined && (await readFile(join(folder, name))).length === length) return;
		}
	};
	const answer: Answer = (request, response) => {
		if (request.url !== '/pool/first.deb') return false;
		ranges.push(request.headers.range);
		if (!isBroken) return false;
		const from = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
		const headers = {
			'content-length': deb.length - from,
			'content-range': `bytes ${from}-${deb.length - 1}/${deb.length}`,
		};
		response.writeHead(from > 0 ? 206 : 200, headers);
		response.write(deb.subarray(from, from + 100));
		// What lies in the host's buffers is lost with the line.
		void partialHas(from + 100).then(() => response.destroy());
		return true;
	};
	await t.throwsAsync(fetched(t, files, {cacheFolder, answer}), {code: 'MIRROR_UNREACHABLE'});
	isBroken = false;
	const {bytes} = await fetched(t, files, {cacheFolder, answer});
	t.deepEqual(bytes[0], deb);
	t.deepEqual(ranges, [undefined, 'bytes=100-', 'bytes=200-', 'bytes=300-']);
});

test('what was begun and is of another file is fetched from its beginning', async (t) => {
	const files = await suite();
	const deb = files.get('pool/first.deb') as Buffer;
	const cacheFolder = await folderOf(t);
	await PackageCache.open(cacheFolder);
	const partial = join(cacheFolder, 'partial', createHash('sha256').update(deb).digest('hex'));
	for (const begun of [Buffer.alloc(50, 'x'), Buffer.alloc(deb.length * 2, 'x'), Buffer.alloc(deb.length, 'x')]) {
		await writeFile(partial, begun);
		t.deepEqual((await fetched(t, files, {cacheFolder})).bytes[0], deb);
		await rm(join(cacheFolder, 'sha256', createHash('sha256').update(deb).digest('hex')));
	}
	t.deepEqual(await readdir(join(cacheFolder, 'partial')), []);
});

test('who gives up is obeyed at once, with its own reason', async (t) => {
	const asked = new AbortController();
	const reason = new Error('enough');
	const answer: Answer = (request) => {
		if (request.url !== '/pool/first.deb') return false;
		asked.abort(reason);
		return true;
	};
	t.is(await t.throwsAsync(fetched(t, await suite(), {answer, signal: asked.signal})), reason);
});

test('a damaged file of the cache is fetched again', async (t) => {
	const cacheFolder = await folderOf(t);
	const files = await suite();
	const {bytes} = await fetched(t, files, {cacheFolder});
	for (const name of await readdir(join(cacheFolder, 'sha256')))
		await writeFile(join(cacheFolder, 'sha256', name), 'something else');
	t.deepEqual((await fetched(t, files, {cacheFolder})).bytes, bytes);
});
