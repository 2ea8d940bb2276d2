import {mkdtempSync, rmSync} from 'node:fs';
import type {ServerResponse} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {DiskError} from '#devices/storage/disk';
import {SeededRandom} from '#devices/storage/image/testing';
import {isVmmError} from '#support/errors';
import {BlobDisk} from './blob-disk.ts';
import {type Answer, content, reactor, read, type Server, serve} from './testing/range-server.ts';

/** Who answers in that time does so on a busy host too, mostly. */
const patience = {partMs: 500, markMs: 500, waitsMs: [1, 1]} as const;
const statuses = [200, 204, 301, 302, 304, 307, 400, 403, 404, 408, 412, 416, 425, 429, 500, 502, 503, 504, 599];

/** One of these. */
const oneOf = <T>(random: SeededRandom, values: readonly T[]): T => values[random.below(values.length)] as T;

/** Answers with whatever a server may say, by a part and how often that was asked for; but what it says are the bytes of a part of this file are those. */
function answersOf(round: number, server: Server): Answer {
	const asked = new Map<number, number>();
	return (response, start, end) => {
		const tries = asked.get(start) ?? 0;
		asked.set(start, tries + 1);
		const seed = round * 1000 + start / 2 ** 18;
		// For some parts it never answers, and others have one answer however often they are asked for.
		const part = new SeededRandom(seed);
		if (part.below(200) === 0) return;
		answerAnyhow(new SeededRandom(part.below(3) === 0 ? seed : seed + tries * 100_003), server, response, start, end);
	};
}

function answerAnyhow(
	random: SeededRandom,
	server: Server,
	response: ServerResponse,
	start: number,
	end: number,
): void {
	/** Where the answer is another one than is asked for, mostly in one point alone. */
	const differs = (odds = 12) => random.below(odds) === 0;
	const whole = content.length;
	const bytes = content.subarray(start, end + 1);
	if (differs(40)) {
		response.socket?.end(
			oneOf(random, ['', 'hello\r\n\r\n', 'HTTP/1.1 206 x\r\ncontent-length: -5\r\n\r\n', 'HTTP/1.1 206 x\r\netag']),
		);
		return;
	}
	const status = differs() ? oneOf(random, statuses) : 206;
	const [from, to, total] = [start, end, whole].map((value) =>
		differs(30) ? value + oneOf(random, [-1, 1, 512, 2 ** 40]) : value,
	);
	const range = differs(20)
		? oneOf(random, [
				'',
				'bytes',
				`bytes */${whole}`,
				`bytes ${start}-${end}/*`,
				`bytes ${start}-${end}/${'9'.repeat(40)}`,
				'bytes 9-1/5',
			])
		: `bytes ${from}-${to}/${total}`;
	const headers: Record<string, string> = {
		...(!differs(30) && {etag: differs(30) ? oneOf(random, ['"two"', 'W/"one"', '', '"one" ']) : server.tag}),
		...(!differs(30) && {'content-range': range}),
		...(differs(20) && {'last-modified': 'Tue, 01 Dec 2026 00:00:00 GMT'}),
		...(differs(30) && {'content-encoding': oneOf(random, ['gzip', 'identity', 'br, gzip'])}),
		...((status >= 300 && status < 400) || differs(60)
			? {
					location: oneOf(random, [
						'/elsewhere',
						'//',
						'file:///etc/passwd',
						'http://u:p@127.0.0.1/',
						server.url,
						server.url,
						'http://127.0.0.1:1/',
					]),
				}
			: {}),
	};
	const isCut = differs(8);
	const body = isCut
		? bytes.subarray(0, random.below(bytes.length))
		: differs(6)
			? Buffer.concat([bytes, bytes])
			: bytes;
	// Without a length it comes in chunks; with a wrong one it is cut off, or has something behind it.
	if (random.below(3) > 0)
		headers['content-length'] = `${differs(20) ? random.below(2 * bytes.length) : isCut ? body.length : bytes.length}`;
	response.writeHead(status, headers);
	if (differs()) response.write(body.subarray(0, random.below(body.length)), () => response.destroy());
	else response.end(body);
}

/** What reads and openings that fail say, of which each kind has to have been there. */
const kinds: readonly RegExp[] = [
	/it was "one", and is/,
	/it had \d+ bytes, and has/,
	/were asked for, and it gives/,
	/a part was asked for, and it answered/,
	/it gives more than/,
	/it ended after/,
	/does not answer in time/,
	/in the coding/,
	/it leads to/,
	/it leads elsewhere/,
	/HTTP status 4/,
	/HTTP status 5/,
	/it gives no parts/,
	/neither by a strong ETag/,
	/another one already/,
];

test('whatever a server answers, a read ends with the bytes of the file or an I/O error', async (t) => {
	t.timeout(900_000);
	const cache = mkdtempSync(join(tmpdir(), 'openvmm-blob-fuzz-'));
	t.teardown(() => rmSync(cache, {recursive: true}));
	const server = await serve(t);
	const said = new Map<RegExp, number>(kinds.map((kind) => [kind, 0]));
	const note = (message: string) => {
		for (const kind of kinds) if (kind.test(message)) said.set(kind, (said.get(kind) ?? 0) + 1);
	};
	const found = {opened: 0, read: 0, failed: 0};
	for (let round = 1; round <= 150; round++) {
		const random = new SeededRandom(round);
		const config = {url: server.url, format: 'flat'} as const;
		const options = {reactor, cache: round % 2 === 0 ? cache : undefined, patience};
		// Every third server tells the truth at first.
		server.answer = round % 3 === 0 ? undefined : answersOf(round, server);
		const disk = await BlobDisk.open(config, options).catch((error) => {
			if (!isVmmError(error) || !/^DISK_BLOB_/.test(error.code)) throw new Error(`round ${round}`, {cause: error});
			note(error.message);
		});
		if (disk === undefined) continue;
		found.opened++;
		server.answer = answersOf(round, server);
		for (let step = 0; step < 3; step++) {
			const places = Array.from({length: 4}, () => {
				const offset = 512 * random.below(Math.min(disk.bytes, 2 * content.length) / 512);
				return [offset, Math.min(disk.bytes - offset, 512 * (1 + random.below(800)))] as const;
			});
			const got = await Promise.all(places.map(([offset, length]) => read(disk, offset, length)));
			for (const [index, each] of got.entries()) {
				const [offset, length] = places[index] as readonly [number, number];
				if (Buffer.isBuffer(each)) {
					const expected = content.subarray(offset, offset + length);
					if (!expected.equals(each)) throw new Error(`round ${round}: at ${offset} are other bytes`);
					found.read++;
				} else {
					t.is(each, DiskError.IO, `round ${round}`);
					found.failed++;
				}
			}
			if (disk.fault !== undefined) note(disk.fault);
		}
		await disk.close();
	}
	// What was kept is what the file has, too.
	server.answer = undefined;
	const disk = await BlobDisk.open({url: server.url, format: 'flat'}, {reactor, cache, patience});
	t.true(content.equals((await read(disk, 0, content.length)) as Buffer));
	await disk.close();
	t.true(found.opened > 50 && found.read > 100 && found.failed > 100, JSON.stringify(found));
	t.deepEqual(
		[...said].filter(([, count]) => count === 0),
		[],
	);
});
