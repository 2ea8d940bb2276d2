import {getEventListeners} from 'node:events';
import {chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {getCACertificates, setDefaultCACertificates} from 'node:tls';
import test, {type ExecutionContext} from 'ava';
import {DiskError, DiskOperation} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {diskStack, randomLoad} from '#devices/storage/source/testing';
import {BlobDisk} from './blob-disk.ts';
import {type Patience, RangeSource} from './range-source.ts';
import {type Answer, content, head, patience, reactor, read, type Server, serve} from './testing/range-server.ts';
import {selfSigned} from './testing/self-signed.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-blob-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const open = async (t: ExecutionContext, url: string, cache?: string, given: Patience = patience) => {
	const disk = await BlobDisk.open({url, format: 'flat'}, {reactor, cache, patience: given});
	t.teardown(() => disk.close());
	return disk;
};

const newFolder = () => mkdtempSync(join(folder, 'cache-'));

test('a disk reads as what the server has, and each part is fetched once, also by another that has the cache', async (t) => {
	const server = await serve(t);
	const cache = newFolder();
	const source = `blob;cache=${cache}:flat:${server.url}`;
	const all = async () =>
		diskStack(
			source,
			async (stack) => {
				t.is(stack.disk.bytes, content.length);
				t.is(stack.disk.mover, 'http');
				const random = new SeededRandom(4);
				const disks = [stack.disk, await stack.another()];
				for (let round = 0; round < 60; round++) {
					const offset = random.below(content.length / 512) * 512;
					const length = Math.min(content.length - offset, (1 + random.below(2000)) * 512);
					const got = (await stack.read(offset, length, disks[round % 2])) as Buffer;
					t.true(content.subarray(offset, offset + length).equals(got));
				}
				t.is(await stack.read(content.length, 512), DiskError.OUT_OF_RANGE);
				t.is(await stack.write(0, new Uint8Array(512)), DiskError.PROTECTED);
				t.is(await stack.run({operation: DiskOperation.FLUSH}), DiskError.NONE);
			},
			true,
		);
	await all();
	t.is(new Set(server.asked).size, 13, 'chunks of 256 KiB');
	const count = server.asked.length;
	await all();
	t.is(server.asked.length, count);
});

test('many that want a chunk at once ask for it once, and the last ones used are in memory', async (t) => {
	const server = await serve(t);
	const disk = await open(t, server.url);
	const got = await Promise.all(Array.from({length: 20}, (_, index) => read(disk, index * 512, 512)));
	for (const [index, bytes] of got.entries())
		t.true(content.subarray(index * 512, index * 512 + 512).equals(bytes as Buffer));
	await read(disk, 0, 4096);
	t.deepEqual(server.asked, ['0-262143']);
});

test('under an overlay it can be written', async (t) => {
	const server = await serve(t);
	await diskStack(`memdiff:blob;cache=off:flat:${server.url}`, (stack) =>
		randomLoad(t, stack, {seed: 3, steps: 40, content, discarded: content}),
	);
	await t.throwsAsync(
		diskStack(`blob;cache=off:flat:${server.url}`, async () => {}),
		{code: 'DISK_BLOB_WRITTEN'},
	);
});

test('a chunk that is damaged in the cache is fetched again', async (t) => {
	const server = await serve(t);
	const cache = newFolder();
	await read(await open(t, server.url, cache), 0, 2 ** 19);
	const [own = ''] = readdirSync(cache);
	// What is kept last is kept behind the answer.
	while (readdirSync(join(cache, own)).filter((name) => /^\d+$/.test(name)).length < 2)
		await new Promise((resolve) => setImmediate(resolve));
	const path = join(cache, own, '1');
	const damaged = readFileSync(path);
	damaged[5000] = (damaged[5000] as number) ^ 1;
	writeFileSync(path, damaged);
	server.asked.length = 0;
	const got = await read(await open(t, server.url, cache), 0, 2 ** 19);
	t.true(content.subarray(0, 2 ** 19).equals(got as Buffer));
	t.deepEqual(server.asked, ['262144-524287']);
});

test('a cache that others can write to is not used', async (t) => {
	const server = await serve(t);
	const cache = newFolder();
	chmodSync(cache, 0o777);
	await t.throwsAsync(open(t, server.url, cache), {code: 'DISK_BLOB_CACHE', message: /others can write/});
});

for (const [name, change] of [
	['its tag', (server: Server) => Object.assign(server, {tag: '"two"'})],
	['its length', (server: Server) => Object.assign(server, {content: content.subarray(512)})],
] as const)
	test(`a file that changes under the disk by ${name} is an error from then on`, async (t) => {
		const server = await serve(t);
		const disk = await open(t, server.url);
		t.true(Buffer.isBuffer(await read(disk, 0, 512)));
		change(server);
		t.is(await read(disk, 2 ** 20, 512), DiskError.IO);
		Object.assign(server, {tag: '"one"', content});
		t.is(await read(disk, 2 ** 20, 512), DiskError.IO, 'nobody knows what is what');
		t.true(Buffer.isBuffer(await read(disk, 0, 512)), 'what is here is of the first one');
	});

test('an answer that is cut off is asked for again, and in the end is an error', async (t) => {
	const server = await serve(t);
	const disk = await open(t, server.url);
	let left = 2;
	server.answer = (response, start, end) => {
		const bytes = content.subarray(start, end + 1);
		const {'content-length': _, ...headers} = head(server, start, end);
		if (left-- > 0) response.writeHead(206, headers).end(bytes.subarray(0, 1000));
		else response.writeHead(206, headers).end(bytes);
	};
	t.true(content.subarray(0, 512).equals((await read(disk, 0, 512)) as Buffer));
	t.is(server.asked.length, 3);
	left = 1000;
	t.is(await read(disk, 2 ** 20, 512), DiskError.IO);
	t.is(server.asked.length, 6);
});

test('a connection that breaks within an answer is one that is cut off too', async (t) => {
	const server = await serve(t);
	const disk = await open(t, server.url);
	let left = 2;
	server.answer = (response, start, end) => {
		response.writeHead(206, head(server, start, end));
		const bytes = content.subarray(start, end + 1);
		if (left-- > 0) response.write(bytes.subarray(0, 1000), () => response.destroy());
		else response.end(bytes);
	};
	t.true(content.subarray(0, 512).equals((await read(disk, 0, 512)) as Buffer));
	t.is(server.asked.length, 3);
});

test('what is kept is read while the server hangs', async (t) => {
	const server = await serve(t);
	const cache = newFolder();
	await read(await open(t, server.url, cache), 11 * 2 ** 18, 512);
	const [own = ''] = readdirSync(cache);
	// What is kept is kept behind the answer.
	while (!readdirSync(join(cache, own)).includes('11')) await new Promise((resolve) => setImmediate(resolve));
	const disk = await open(t, server.url, cache);
	server.asked.length = 0;
	server.answer = () => {};
	const hanging = Array.from({length: 10}, (_, index) => read(disk, index * 2 ** 18, 512));
	while (server.asked.length < 8) await new Promise((resolve) => setImmediate(resolve));
	t.true(content.subarray(11 * 2 ** 18, 11 * 2 ** 18 + 512).equals((await read(disk, 11 * 2 ** 18, 512)) as Buffer));
	t.is(server.asked.length, 8, 'so many are fetched at once');
	await disk.close();
	t.deepEqual(
		await Promise.all(hanging),
		Array.from({length: 10}, () => DiskError.IO),
	);
});

test('what is used again and again stays in memory', async (t) => {
	const server = await serve(t);
	server.content = Buffer.alloc(40 * 2 ** 18);
	const disk = await open(t, server.url);
	for (let chunk = 0; chunk < 40; chunk++) {
		await read(disk, 0, 512);
		await read(disk, chunk * 2 ** 18, 512);
	}
	t.is(server.asked.length, 40);
	await read(disk, 2 ** 18, 512);
	t.is(server.asked.length, 41, 'and not for ever');
});

test('a disk knows why a read failed, and says nothing of an address that lets others read', async (t) => {
	const server = await serve(t);
	const secret = `${server.url}?signature=secret`;
	const disk = await open(t, secret);
	t.is(disk.fault, undefined);
	server.answer = (response) => response.writeHead(403).end();
	t.is(await read(disk, 0, 512), DiskError.IO);
	t.regex(disk.fault ?? '', /^The server does not give http:\S+\/disk\?…: HTTP status 403$/);
	for (const url of [secret, server.url]) {
		server.answer = (response) => response.writeHead(302, {location: 'ftp://a/b?secret'}).end();
		const error = await t.throwsAsync(open(t, url), {code: 'DISK_BLOB_SERVER', message: /leads to "ftp:/});
		t.notRegex(JSON.stringify(error), /secret/);
	}
	const error = await t.throwsAsync(
		diskStack(`blob:flat:${secret}`, async () => {}),
		{code: 'DISK_BLOB_WRITTEN'},
	);
	t.notRegex(JSON.stringify(error), /secret/);
});

test('nothing of the parts that were read stays in the signal that ends all of them', async (t) => {
	const server = await serve(t);
	const leaving = new AbortController();
	const source = await RangeSource.open(server.url, patience, leaving.signal);
	// Where Node has those that hang on it, it has a set.
	const size = () =>
		Object.getOwnPropertySymbols(leaving.signal)
			.map((symbol) => (leaving.signal as unknown as Record<symbol, {size?: unknown} | undefined>)[symbol]?.size)
			.reduce((sum: number, count) => sum + (typeof count === 'number' ? count : 0), 0);
	const before = size();
	for (let part = 0; part < 5; part++) await source.read(part * 512, 512);
	t.is(size(), before);
	t.is(getEventListeners(leaving.signal, 'abort').length, 0);
});

const lies: readonly (readonly [string, Answer])[] = [
	['the whole file', (response) => response.writeHead(200, {etag: '"one"'}).end(content)],
	[
		'another part',
		(response) => response.writeHead(206, {etag: '"one"', 'content-range': `bytes 5-9/${content.length}`}).end('12345'),
	],
	[
		'more than that part',
		(response, start, end) =>
			response
				.writeHead(206, {etag: '"one"', 'content-range': `bytes ${start}-${end}/${content.length}`})
				.end(Buffer.alloc(2 ** 20)),
	],
	['no place', (response) => response.writeHead(206, {etag: '"one"'}).end('x')],
	[
		'something compressed',
		(response, start, end) =>
			response
				.writeHead(206, {
					etag: '"one"',
					'content-encoding': 'gzip',
					'content-range': `bytes ${start}-${end}/${content.length}`,
				})
				.end('x'),
	],
	[
		'no mark',
		(response, start, end) =>
			response.writeHead(206, {'content-range': `bytes ${start}-${end}/${content.length}`}).end(),
	],
	['a redirection without end', (response) => response.writeHead(302, {location: '/disk'}).end()],
	['a redirection to a file', (response) => response.writeHead(302, {location: 'file:///etc/passwd'}).end()],
	['that it is not there', (response) => response.writeHead(404).end()],
	['that it is busy', (response) => response.writeHead(503).end()],
	['no HTTP', (response) => response.socket?.end('hello\r\n\r\n')],
];
for (const [name, answer] of lies)
	test(`a server that gives ${name} is an error, at the beginning and later`, async (t) => {
		const server = await serve(t);
		const disk = await open(t, server.url);
		server.answer = answer;
		t.is(await read(disk, 2 ** 20, 512), DiskError.IO);
		server.answer = undefined;
		if (name !== 'no mark') t.true(Buffer.isBuffer(await read(disk, 2 ** 20, 512)), 'and passes with it');
		server.answer = answer;
		if (name === 'more than that part' || name === 'another part') return;
		const error = await t.throwsAsync(open(t, server.url));
		t.regex((error as {code?: string}).code ?? '', /^DISK_BLOB_(SERVER|REFUSED|UNREACHABLE)$/);
	});

test('a mark under which bytes may change is none', async (t) => {
	const server = await serve(t);
	server.tag = 'W/"one"';
	await t.throwsAsync(open(t, server.url), {code: 'DISK_BLOB_SERVER', message: /strong ETag/});
});

test('a server may lead elsewhere', async (t) => {
	const server = await serve(t);
	const first = await serve(t);
	first.answer = (response) => response.writeHead(307, {location: server.url}).end();
	const disk = await open(t, first.url);
	t.true(content.subarray(512, 1024).equals((await read(disk, 512, 512)) as Buffer));
});

test.serial(
	'by https a server is believed whose certificate is trusted alone, and none leads from there to http',
	async (t) => {
		const identity = selfSigned();
		const secure = await serve(t, identity);
		await t.throwsAsync(open(t, secure.url), {code: 'DISK_BLOB_UNREACHABLE', message: /SELF_SIGNED_CERT/});
		// What NODE_EXTRA_CA_CERTS does before a process begins.
		const usual = getCACertificates('default');
		setDefaultCACertificates([...usual, identity.cert]);
		t.teardown(() => setDefaultCACertificates(usual));
		const disk = await open(t, secure.url);
		t.true(content.subarray(512, 1024).equals((await read(disk, 512, 512)) as Buffer));
		const plain = await serve(t);
		let asked = 0;
		plain.answer = (response) => {
			asked++;
			response.writeHead(404).end();
		};
		secure.answer = (response) => response.writeHead(302, {location: plain.url}).end();
		const insecure = {code: 'DISK_BLOB_SERVER', message: /it leads to "http:/};
		await t.throwsAsync(open(t, secure.url), insecure);
		t.is(await read(disk, 2 ** 20, 512), DiskError.IO);
		t.regex(disk.fault ?? '', /it leads to "http:/);
		// Also on the second of several ways.
		const first = await serve(t, identity);
		first.answer = (response) => response.writeHead(302, {location: secure.url}).end();
		await t.throwsAsync(open(t, first.url), insecure);
		t.is(asked, 0, 'which was asked for nothing');
		// To https anybody may lead.
		plain.answer = (response) => response.writeHead(302, {location: secure.url}).end();
		secure.answer = undefined;
		const led = await open(t, plain.url);
		t.true(content.subarray(512, 1024).equals((await read(led, 512, 512)) as Buffer));
	},
);

test('a server that does not answer in time is an error, and keeps no disk from its end', async (t) => {
	const server = await serve(t);
	const short = {...patience, partMs: patience.partMs as number, waitsMs: [1]};
	const disk = await open(t, server.url, undefined, short);
	const other = await open(t, server.url);
	// From here on nothing answers.
	short.partMs = 200;
	server.answer = () => {};
	t.is(await read(disk, 0, 512), DiskError.IO);
	const reading = read(other, 0, 512);
	await other.close();
	t.is(await reading, DiskError.IO);
	await t.throwsAsync(open(t, server.url, undefined, {...patience, markMs: 200}), {
		code: 'DISK_BLOB_UNREACHABLE',
		message: /does not answer in time/,
	});
});

test('a fixed VHD is the disk before its footer, and nothing else is one', async (t) => {
	const server = await serve(t);
	const footer = Buffer.alloc(512);
	footer.write('conectix', 0, 'latin1');
	footer.writeBigUInt64BE(BigInt(content.length), 48);
	footer.writeUInt32BE(2, 60);
	const sign = () => {
		footer.writeUInt32BE(0, 64);
		footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
		server.content = Buffer.concat([content, footer]);
	};
	const openVhd = () => BlobDisk.open({url: server.url, format: 'vhd1'}, {reactor, cache: undefined, patience});
	sign();
	const disk = await openVhd();
	t.teardown(() => disk.close());
	t.is(disk.bytes, content.length);
	t.true(content.subarray(content.length - 512).equals((await read(disk, content.length - 512, 512)) as Buffer));
	for (const change of [
		() => footer.writeUInt32BE(3, 60),
		() => footer.writeBigUInt64BE(BigInt(content.length + 512), 48),
		() => footer.writeUInt8(0, 0),
	]) {
		const before = Buffer.from(footer);
		change();
		sign();
		await t.throwsAsync(openVhd(), {code: 'DISK_BLOB_CONTENT'});
		before.copy(footer);
	}
	server.content = content.subarray(0, 1000);
	await t.throwsAsync(open(t, server.url), {code: 'DISK_BLOB_CONTENT', message: /1000 bytes/});
});
