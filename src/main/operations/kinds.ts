import {isAbsolute, resolve} from 'node:path';
import type {DeviceHandle, KindHandle} from '#devices/device-type';
import {type NicLimits, parseNicLimits} from '#devices/network/limit';
import {deviceRegistry} from '#devices/registry';
import {type DiskLimits, parseDiskLimits} from '#devices/storage/backend';
import {parseAddition} from '#devices/storage/disk-flag';
import {checkAddition} from '#devices/storage/disk-set';
import {checkDevices, configError, parseDevice, parseSymbolFile} from '#main/config';
import type {SymbolFile} from '#main/symbols';
import type {NewDisk} from '#main/vm';
import {checkRange, linuxPaths, parseNumber, parseSize, readOptions} from '#support/options';

/** A kind of value that a parameter may have: what a client may send for it, and what a person may write. */
export interface Kind<T> {
	/** Words that say which values are right. */
	readonly expected: string;
	/** The value that JSON from a client stands for; undefined for what is none. @throws VmmError that says more */
	check(json: unknown): T | undefined;
	/** The JSON for a word on a line; a machine's process may be in another folder. @throws CONFIG_VALUE_INVALID, CONFIG_NUMBER_RANGE */
	parse(word: string, option: string): unknown;
	/** The console completes it from the machine's tree. */
	readonly isTreePath?: true;
	/** Each time that its flag is on a line gives one element of an array; {@link parse} gives one. */
	readonly isList?: true;
}

/** Text of at most this many characters. */
export const text = (maxLength: number): Kind<string> => ({
	expected: `text of at most ${maxLength} characters`,
	check: (json) => (typeof json === 'string' && json.length <= maxLength ? json : undefined),
	parse: (word) => word,
});

/** A whole number within these bounds. */
export const integer = (least: number, most: number): Kind<number> => ({
	expected: `an integer from ${least} to ${most}`,
	check: (json) =>
		typeof json === 'number' && Number.isInteger(json) && json >= least && json <= most ? json : undefined,
	parse: (word, option) => parseNumber(word, option, least, most),
});

/** An amount of bytes; on a line such as 256M. */
export const bytes = (most: number): Kind<number> => ({
	...integer(0, most),
	parse(word, option) {
		const size = parseSize(word, option);
		const problem = checkRange(size, option, 0, most);
		if (problem) throw problem;
		return size;
	},
});

/** A switch: on a line it is there or not. */
export const toggle: Kind<boolean> = {
	expected: 'true or false',
	check: (json) => (typeof json === 'boolean' ? json : undefined),
	parse: () => true,
};

/** One of these words. */
export const choice = <T extends string>(words: readonly T[]): Kind<T> => {
	const expected = words.join(' or ');
	const check = (json: unknown) => words.find((word) => word === json);
	return {
		expected,
		check,
		parse(word, option) {
			if (check(word) === undefined) throw configError('CONFIG_VALUE_INVALID', {option, value: word, expected});
			return word;
		},
	};
};

/** Text as long as a path of the host's may be (PATH_MAX in limits.h). */
const longText = text(4096);

/** A path in the machine's tree. */
export const treePath: Kind<string> = {...longText, isTreePath: true};

/** A path in the host's file system. */
export const file: Kind<string> = {
	expected: `an absolute path, ${longText.expected}`,
	check(json) {
		const path = longText.check(json);
		return path !== undefined && isAbsolute(path) ? path : undefined;
	},
	parse: (word) => resolve(word),
};

/** A name, or a value as it is written. */
export const word = longText;

/** A device of a kind that there is, or of the user's own, written as `--device` has the latter. */
export const device = (option: string): Kind<DeviceHandle> => ({
	expected: `KIND[,OPTIONS] or PATH[,OPTIONS] with absolute paths, ${longText.expected}`,
	check(json) {
		const written = longText.check(json);
		if (written === undefined) return checkKind(json);
		const known = ofKind(written, option);
		if (known !== undefined) return checkKind(known);
		const own = parseDevice(written, option);
		return isAbsolute(own.module) ? own : undefined;
	},
	parse: (written) => {
		const known = ofKind(written, option);
		if (known === undefined) return written.replace(/^[^,]+/, (path) => resolve(path));
		return {...known, options: withPaths(known.options, resolve)};
	},
});

/** A device whose kind there is, with its options read; undefined for any other. @throws VmmError with a `CONFIG_` code */
function ofKind(written: string, option: string): KindHandle | undefined {
	const [kind = ''] = written.split(',');
	const type = deviceRegistry.findType(kind);
	if (type === undefined) return undefined;
	const {module: _, options = {}, ...others} = parseDevice(written, option);
	const {values, problems} = readOptions(type.options ?? {}, options, kind);
	const [problem] = problems;
	if (problem !== undefined) throw problem;
	return {kind, ...others, options: values};
}

/** What a client says is such a device. @throws VmmError for what is wrong with it, by itself or on this host */
function checkKind(json: unknown): KindHandle | undefined {
	if (typeof json !== 'object' || json === null) return undefined;
	const {kind, name, options = {}, ...others} = json as Readonly<Record<string, unknown>>;
	const isHandle =
		typeof kind === 'string' &&
		(name === undefined || typeof name === 'string') &&
		typeof options === 'object' &&
		options !== null &&
		Object.keys(others).length === 0;
	if (!isHandle) return undefined;
	const handle = {kind, options: options as Readonly<Record<string, unknown>>, ...(name !== undefined && {name})};
	if (!isWhole(options)) return undefined;
	const [problem] = checkDevices([handle], deviceRegistry, linuxPaths);
	if (problem !== undefined) throw problem;
	return handle;
}

/** All paths of the host's in options are absolute. */
function isWhole(options: unknown): boolean {
	let isEach = true;
	withPaths(options, (path) => {
		isEach &&= isAbsolute(path);
		return path;
	});
	return isEach;
}

/** Names that options have for one path of the host's, or several. */
const pathKeys = ['path', 'keyFile', 'cache', 'backingFolders'];

/** Options with each path of the host's in them, however deep, changed. */
function withPaths<T>(value: T, change: (path: string) => string, isPath = false): T {
	if (isPath && typeof value === 'string') return change(value) as T;
	if (typeof value !== 'object' || value === null) return value;
	if (Array.isArray(value)) return value.map((each) => withPaths(each, change, isPath)) as T;
	return Object.fromEntries(
		Object.entries(value).map(([key, each]) => [key, withPaths(each, change, pathKeys.includes(key))]),
	) as T;
}

/** A file with symbols, written as `--symbols` has it. */
export const symbolFile: Kind<SymbolFile> = {
	expected: `FILE or FILE,offset=ADDRESS with an absolute path, ${longText.expected}`,
	check(json) {
		const written = longText.check(json);
		const file = written === undefined ? undefined : parseSymbolFile(written, '--symbols');
		return file !== undefined && isAbsolute(file.path) ? file : undefined;
	},
	parse: (written) => written.replace(/^[^,]+/, (path) => resolve(path)),
};

/** A disk for a controller of a machine that runs, written as `--disk` has it. */
export const controllerDisk = (option: string): Kind<NewDisk> => ({
	expected: `DISK[,OPTIONS] with absolute paths, ${longText.expected}`,
	check(json) {
		const written = longText.check(json);
		const disk = written === undefined ? json : parseAddition(written, option);
		const problem = checkAddition(disk, option);
		if (problem !== undefined) throw problem;
		return isWhole(disk) ? (disk as NewDisk) : undefined;
	},
	parse: (written) => withPaths(parseAddition(written, option), resolve),
});

/** Limits of a disk, written as the disk's flag has them. */
export const diskLimits = (option: string): Kind<DiskLimits> => ({
	expected: `limits such as bps=100M,iops=500, ${longText.expected}`,
	check(json) {
		const written = longText.check(json);
		return written === undefined ? undefined : parseDiskLimits(written, option);
	},
	parse: (written) => written,
});

/** Limits of a NIC, in the same way. */
export const nicLimits = (option: string): Kind<NicLimits> => ({
	expected: `limits such as bps_tx=10M,pps=5000, ${longText.expected}`,
	check(json) {
		const written = longText.check(json);
		return written === undefined ? undefined : parseNicLimits(written, option);
	},
	parse: (written) => written,
});

/** Any number of values of a kind, up to this many. */
export const listOf = <T>(kind: Kind<T>, most: number): Kind<readonly T[]> => ({
	expected: `an array of at most ${most}: ${kind.expected}`,
	check(json) {
		if (!Array.isArray(json) || json.length > most) return undefined;
		const values = json.map((one) => kind.check(one));
		return values.includes(undefined) ? undefined : (values as T[]);
	},
	parse: (word, option) => kind.parse(word, option),
	isList: true,
});
