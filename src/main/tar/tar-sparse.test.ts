import {execFileSync, spawnSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {gather} from './byte-stream.ts';
import {tarMembers} from './tar.ts';
import {makeTar} from './testing/index.ts';

const hasTar = /GNU tar/.test(spawnSync('tar', ['--version'], {encoding: 'utf8'}).stdout ?? '');
const withTar = hasTar ? test : test.skip;

async function* inPieces(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
	for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}

async function filesOf(archive: Uint8Array, sparse = true): Promise<Record<string, Uint8Array>> {
	const files: Record<string, Uint8Array> = {};
	const fault = (what: string) => new Error(what);
	for await (const {path, length, content} of tarMembers(inPieces(archive), fault, {sparse})) {
		const bytes = await gather(content);
		if (bytes.length !== length) throw new Error(`${path} has ${bytes.length} bytes, not ${length}`);
		files[path] = bytes;
	}
	return files;
}

/** Files with holes: at the beginning, in the middle, at the end, everywhere, and in so many places that their map goes on. */
function sparseFiles(t: ExecutionContext): {readonly folder: string; readonly names: readonly string[]} {
	const folder = mkdtempSync(join(tmpdir(), 'sparse-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const parts: Readonly<Record<string, readonly (readonly [at: number, text: string])[]>> = {
		begins: [[2 ** 20, 'at the end']],
		middle: [
			[0, 'first'],
			[2 ** 21, 'last'],
		],
		ends: [[0, 'only']],
		empty: [],
		many: Array.from({length: 60}, (_, index) => [index * 2 ** 16, `part ${index}`] as const),
	};
	for (const [name, written] of Object.entries(parts)) {
		const path = join(folder, name);
		writeFileSync(path, '');
		truncateSync(path, 2 ** 22 + 5);
		const file = openSync(path, 'r+');
		for (const [at, text] of written) writeSync(file, text, at);
		closeSync(file);
	}
	writeFileSync(join(folder, 'whole'), 'whole');
	return {folder, names: [...Object.keys(parts), 'whole']};
}

const digest = (bytes: Uint8Array | undefined) =>
	createHash('sha256')
		.update(bytes ?? '')
		.digest('hex');

/** Formats of GNU tar: its own, and those of pax by their versions. */
const formats: Readonly<Record<string, readonly string[]>> = {
	gnu: ['--format=gnu'],
	'1.0': ['--format=posix'],
	'0.1': ['--format=posix', '--sparse-version=0.1'],
	'0.0': ['--format=posix', '--sparse-version=0.0'],
};
for (const [format, options] of Object.entries(formats))
	withTar(`files with holes come whole, as GNU tar writes them in its format ${format}`, async (t) => {
		const {folder, names} = sparseFiles(t);
		const words = ['--create', '--sparse', '--hole-detection=raw', ...options, '--directory', folder, ...names];
		const archive = execFileSync('tar', words, {maxBuffer: 2 ** 26});
		t.true(archive.length < 2 ** 21, 'the holes are not in it');
		const files = await filesOf(archive);
		t.deepEqual(Object.keys(files).sort(), [...names].sort());
		for (const name of names) t.is(digest(files[name]), digest(readFileSync(join(folder, name))), name);
		await t.throwsAsync(filesOf(archive, false), {message: /holes/});
	});

const pax = (...fields: readonly string[]) => ({
	path: 'x',
	type: 'x',
	data: fields
		.map((field) => {
			const length = field.length + 4;
			return `${length} ${field}\n`;
		})
		.join(''),
});
const holes = ['GNU.sparse.major=1', 'GNU.sparse.minor=0', 'GNU.sparse.realsize=9'];
const block = (text: string) => Buffer.concat([Buffer.from(text), Buffer.alloc(512 - text.length)]);
const faults: readonly (readonly [what: string, map: Buffer | string, message: RegExp])[] = [
	['parts that overlap', block('2\n0\n4\n2\n4\n'), /overlap/],
	['parts behind the end', block('1\n90\n0\n'), /does not match/],
	['parts that are not there', block('1\n0\n5\n'), /does not match/],
	['a number that is none', block('1\n-1\n5\n'), /something else/],
	['a line without end', Buffer.alloc(2048, '1'), /without end/],
	['a map that is cut off', '1\n', /cut off/],
	['parts without end', block('99999999\n'), /more than 65536/],
];
for (const [what, map, message] of faults)
	test(`a file with holes is refused that has ${what}`, async (t) => {
		const archive = makeTar([pax(...holes), {path: 'a', data: map}]);
		await t.throwsAsync(filesOf(archive), {message});
	});

const older: readonly (readonly [what: string, fields: readonly string[], message: RegExp])[] = [
	['a map that is no map', ['GNU.sparse.size=9', 'GNU.sparse.map=0,-5'], /something else/],
	['half a part', ['GNU.sparse.size=9', 'GNU.sparse.map=0,1,5'], /cut off/],
	['parts that overlap', ['GNU.sparse.size=9', 'GNU.sparse.map=0,1,0,0'], /overlap/],
	['no length', ['GNU.sparse.size=x', 'GNU.sparse.map=0,1'], /something else/],
];
for (const [what, fields, message] of older)
	test(`a file with holes in format 0.1 is refused that has ${what}`, async (t) => {
		await t.throwsAsync(filesOf(makeTar([pax(...fields), {path: 'a', data: 'x'}])), {message});
	});

/** A file in GNU tar's own format, of which each part is told by what its fields have. */
function oldSparse(
	parts: readonly (readonly [offset: number, length: number])[],
	data: string,
	length: number,
): Buffer {
	const archive = makeTar([{path: 'a', type: 'S', data}]);
	const field = (value: number, at: number) => {
		// Numbers that are not octal are binary, of 12 bytes with a sign (GNU tar).
		archive.fill(value < 0 ? 0xff : 0, at, at + 12);
		archive[at] = value < 0 ? 0xff : 0x80;
		archive.writeBigInt64BE(BigInt(value), at + 4);
	};
	for (const [index, [offset, bytes]] of parts.entries()) {
		field(offset, 386 + index * 24);
		field(bytes, 386 + index * 24 + 12);
	}
	field(length, 483);
	archive.fill(' ', 148, 156);
	const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0);
	archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
	return archive;
}

test('parts of negative lengths are refused, which would have a file filled for ever', async (t) => {
	const data = 'x'.repeat(20);
	const fine = oldSparse([[5, 20]], data, 30);
	t.is(Buffer.from((await filesOf(fine))['a'] ?? '').toString(), `${'\0'.repeat(5)}${data}${'\0'.repeat(5)}`);
	const turned = oldSparse(
		[
			[0, 10],
			[10, -10],
			[0, 5],
			[5, 15],
		],
		data,
		20,
	);
	await t.throwsAsync(filesOf(turned), {message: /negative/});
	await t.throwsAsync(filesOf(oldSparse([[2 ** 53 - 1, 20]], data, 30)), {message: /no file is/});
});

test('another format of holes is refused by its name', async (t) => {
	const archive = makeTar([pax('GNU.sparse.major=2', 'GNU.sparse.minor=0'), {path: 'a', data: 'x'}]);
	await t.throwsAsync(filesOf(archive), {message: /format 2\.0/});
});
