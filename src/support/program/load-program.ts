import type {ProgramLoader} from './program-loader.ts';

// Importing them would load all that they can export, streams among it, on each thread: a tenth of its start.
const {getBuiltinModule} = process;
const {existsSync, readFileSync, renameSync, rmSync, writeFileSync} = getBuiltinModule('node:fs');
const {createRequire, getCompileCacheDir} = getBuiltinModule('node:module');
const {basename, dirname, join} = getBuiltinModule('node:path');
const {fileURLToPath} = getBuiltinModule('node:url');
const {Script} = getBuiltinModule('node:vm');
const {threadId} = getBuiltinModule('node:worker_threads');
const {crc32} = getBuiltinModule('node:zlib');

/** A bundle's one expression: it runs the bundle with what a CommonJS module and an ES module have of their own. */
type Bundle = (
	module: {exports: object},
	require: NodeJS.Require,
	place: {readonly url: string; readonly dirname: string},
	loader: ProgramLoader,
) => void;

/**
 * Runs a bundle, with the functions compiled that an earlier run of it needed. Node's compile cache has what V8 compiles before a module runs,
 * its outermost code; all that a start calls would be parsed and compiled anew, which takes longer than to do it.
 * @param code - the bundle, in ASCII: V8 takes it as it is in the file
 * @param version - another one for another text, of which V8 compares no more than the length
 * @returns its exports
 */
export function loadProgram(code: URL, version: string): object {
	const filename = fileURLToPath(code);
	const directory = getCompileCacheDir();
	const flags = flagsNow();
	const kept = directory && join(directory, `${basename(filename, '.js')}-${version}-${flags.toString(16)}.v8`);
	const file = kept === undefined ? undefined : readIfThere(kept);
	const cachedData = file && checkedData(file);
	const wasThere = file !== undefined;
	const script = new Script(readFileSync(filename, 'latin1'), {filename, ...(cachedData && {cachedData})});
	// V8 refuses what another version of it has made, or the same with other flags: the names differ by those.
	let isKept = kept === undefined || (cachedData !== undefined && script.cachedDataRejected === false);
	const keepCode = () => {
		if (kept === undefined || isKept) return;
		isKept = true;
		// Another thread of the program may have done it.
		if (!wasThere && existsSync(kept)) return;
		const data = script.createCachedData();
		// The program may have changed flags since it was loaded, none of which functions depend on; the next start loads as this one did.
		if (data.readUInt32LE(flagsAt) === flagsNow()) data.writeUInt32LE(flags, flagsAt);
		replace(kept, data);
	};
	const module = {exports: {}};
	const place = {url: code.href, dirname: dirname(filename)};
	(script.runInThisContext() as Bundle)(module, createRequire(code), place, {
		importModule: (url) => import(url),
		keepCode,
	});
	return module.exports;
}

/** Where V8's data have the hash of its flags: the fourth word. If it moves, such data are refused. */
const flagsAt = 12;
const flagsNow = () => new Script('0').createCachedData().readUInt32LE(flagsAt);

const checksumBytes = 4;

/** V8 looks at no more than the header of what has been kept, and crashes or hangs where a disk has spoilt what follows. */
function checkedData(file: Buffer): Buffer | undefined {
	const data = file.subarray(0, -checksumBytes);
	return file.length > checksumBytes && crc32(data) === file.readUInt32LE(data.length) ? data : undefined;
}

function readIfThere(path: string): Buffer | undefined {
	try {
		return readFileSync(path);
	} catch {
		return undefined;
	}
}

/** Nobody sees half a file. Where it cannot be written the next start is as slow as this one. */
function replace(path: string, data: Uint8Array): void {
	const written = `${path}.${process.pid}.${threadId}`;
	const checksum = Buffer.alloc(checksumBytes);
	checksum.writeUInt32LE(crc32(data));
	try {
		writeFileSync(written, Buffer.concat([data, checksum]), {mode: 0o600});
		renameSync(written, path);
	} catch {
		// A full disk has a part of it, and each start would leave another.
		rmSync(written, {force: true});
	}
}
