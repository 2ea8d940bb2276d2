import {closeSync, constants, fstatSync, openSync} from 'node:fs';
import {fileDiskError, lengthOf} from '#devices/storage/file';
import {errorTable} from '#support/errors';
import {errnoOf} from '#support/ffi';
import {checkPath, invalidValue, optionError, parseSize, type ValueType} from '#support/options';

/** What lies under persistent memory, as plain data. */
export type PmemSource =
	/** RAM of the host, which is lost with the machine. */
	| {readonly kind: 'memory'; readonly bytes: number}
	/** A file or a block device. */
	| {
			readonly kind: 'file';
			readonly path: string;
			/** It is only read: what the guest writes are pages of its own, which are lost with the machine. */
			readonly private?: boolean;
	  };

/** Linux has memory in sections, of which these are the smallest parts that it adds (SUBSECTION_SHIFT). */
const pieceBytes = 2 ** 21;
/** A BAR is no longer. */
const mostBytes = 2 ** 32;

const pmemError = errorTable({
	VIRTIO_PMEM_LENGTH: (c: {what: string; bytes: number}) => ({
		message: `${c.what} has ${c.bytes} bytes, and persistent memory has a multiple of 2 MiB, up to 4 GiB`,
		remedy: 'Lengthen it, for example with truncate -s %2M',
	}),
});

const expected = 'PATH, file:PATH, each with ;private behind, or mem:LEN';
const isLength = (bytes: unknown): boolean =>
	Number.isSafeInteger(bytes) &&
	(bytes as number) > 0 &&
	(bytes as number) % pieceBytes === 0 &&
	(bytes as number) <= mostBytes;

/** Persistent memory, written as disks are: PATH, file:PATH;private, mem:LEN. */
export const pmemOption: ValueType<PmemSource> = {
	placeholder: 'MEMORY',
	parse(text, option) {
		const [, kind, rest = ''] = /^([a-z][a-z0-9-]*):(.*)$/s.exec(text) ?? [];
		if (kind === 'mem') {
			const bytes = parseSize(rest, `${option} LEN`);
			if (isLength(bytes)) return {kind: 'memory', bytes};
			throw invalidValue(`${option} LEN`, rest, 'a multiple of 2M from 2M to 4G');
		}
		if (kind !== undefined && kind !== 'file') throw invalidValue(option, text, expected);
		const [path = '', ...words] = (kind === undefined ? text : rest).split(';');
		if (path === '') throw optionError('CONFIG_PATH_EMPTY', {option});
		if (words.length === 0) return {kind: 'file', path};
		if (words.length === 1 && words[0] === 'private') return {kind: 'file', path, private: true};
		throw invalidValue(option, text, expected);
	},
	check(value, option) {
		const {kind, bytes, path, private: own} = (value ?? {}) as Record<string, unknown>;
		const isRight =
			kind === 'memory'
				? isLength(bytes)
				: kind === 'file' && typeof path === 'string' && path !== '' && (own === undefined || typeof own === 'boolean');
		return isRight ? undefined : invalidValue(option, value, expected);
	},
	checkHost(source, option, host) {
		if (source.kind === 'memory' || host.path(source.path).kind === 'block device') return undefined;
		const {path} = source;
		const unreadable = checkPath(host, 'input', path, option);
		return unreadable ?? (source.private ? undefined : checkPath(host, 'output', path, option));
	},
};

/**
 * Looks how much there is.
 * @throws VmmError VIRTIO_PMEM_LENGTH, DISK_FILE_UNUSABLE
 */
export function bytesOf(source: PmemSource): number {
	if (source.kind === 'memory') return source.bytes;
	const {path} = source;
	const bytes = lengthAt(path);
	if (!isLength(bytes)) throw pmemError('VIRTIO_PMEM_LENGTH', {what: path, bytes});
	return bytes;
}

function lengthAt(path: string): number {
	try {
		// Of a pipe it would wait for somebody to write.
		const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
		try {
			return lengthOf(fd, fstatSync(fd));
		} finally {
			closeSync(fd);
		}
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw fileDiskError('DISK_FILE_UNUSABLE', {path, doing: 'measured', errno}, {cause});
	}
}
