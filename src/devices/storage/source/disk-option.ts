import type {VmmError} from '#support/errors';
import {type EngineName, engineNames} from '#support/io-engine';
import {checkPath, invalidValue, optionError, type PathHost, parseSize, type ValueType} from '#support/options';
import {type DiskSource, mostMemoryBytes, sectorBytes} from './disk-source.ts';

const expected =
	'mem:LEN, a path or file:PATH, the latter two with ;direct, ;create=LEN, ;engine=io_uring or ;engine=threads, ;format=raw behind';
const memoryLengths = `a multiple of ${sectorBytes} from ${sectorBytes} to 4G`;

/** Formats that a file's name speaks of and that are none of ours: what is in it is more than the disk's content. */
const otherFormats = /\.(vhdx?|vmgs|qcow2?|qed|vmdk|vdi|avhdx?)$/i;

/**
 * A disk, written as OpenVMM has it: mem:LEN, PATH, file:PATH;direct;create=LEN. The format is stated or taken from the name, and never
 * from what is in the file, which a guest can write.
 */
export const diskOption: ValueType<DiskSource> = {
	placeholder: 'DISK',
	parse(text, option) {
		const [, kind, rest = ''] = /^([a-z][a-z0-9-]*):(.*)$/s.exec(text) ?? [];
		if (kind === undefined) return parseFile(text, option);
		if (kind === 'file') return parseFile(rest, option);
		if (kind !== 'mem') throw invalidValue(option, text, expected);
		const bytes = parseSize(rest, `${option} LEN`);
		if (isMemoryLength(bytes)) return {kind: 'memory', bytes};
		throw invalidValue(`${option} LEN`, rest, memoryLengths);
	},
	check: (value, option) => (isSource(value) ? undefined : invalidValue(option, value, expected)),
	checkHost: (source, option, host) => (source.kind === 'file' ? checkFile(source, option, host) : undefined),
};

function parseFile(text: string, option: string): DiskSource {
	const [path = '', ...words] = text.split(';');
	if (path === '') throw optionError('CONFIG_PATH_EMPTY', {option});
	const values = new Map<string, string | undefined>();
	for (const word of words) {
		const [key = '', value] = word.split(/=(.*)/s);
		if (!fileKeys.includes(key)) throw optionError('CONFIG_KEY_UNKNOWN', {option, key, allowed: fileKeys});
		if (values.has(key)) throw optionError('CONFIG_KEY_REPEATED', {option, key});
		values.set(key, value);
	}
	const [direct, create, engine, format] = fileKeys.map((key) => values.get(key) ?? (values.has(key) ? '' : undefined));
	if (direct) throw invalidValue(option, `direct=${direct}`, 'direct alone');
	if (format !== undefined && format !== 'raw') throw invalidValue(`${option} format`, format, 'raw');
	if (engine !== undefined && !isEngine(engine))
		throw invalidValue(`${option} engine`, engine, engineNames.join(' or '));
	if (format === undefined && otherFormats.test(path)) throw otherFormat(option, path);
	const bytes = create === undefined ? undefined : parseSize(create, `${option} create`);
	if (bytes !== undefined && !isLength(bytes))
		throw invalidValue(`${option} create`, create, `a multiple of ${sectorBytes}`);
	return {
		kind: 'file',
		path,
		...(direct !== undefined && {direct: true}),
		...(bytes !== undefined && {create: bytes}),
		...(engine !== undefined && {engine}),
	};
}

const fileKeys: readonly string[] = ['direct', 'create', 'engine', 'format'];

const otherFormat = (option: string, path: string): VmmError =>
	invalidValue(
		option,
		path,
		'a raw image: this name is of another format; convert it, or say ;format=raw if it is raw',
	);

const isEngine = (name: unknown): name is EngineName => (engineNames as readonly unknown[]).includes(name);
const isLength = (bytes: unknown): boolean =>
	Number.isSafeInteger(bytes) && (bytes as number) > 0 && (bytes as number) % sectorBytes === 0;
const isMemoryLength = (bytes: unknown): boolean => isLength(bytes) && (bytes as number) <= mostMemoryBytes;

function isSource(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const {kind, bytes, path, direct, create, engine} = value as Record<string, unknown>;
	if (kind === 'memory') return isMemoryLength(bytes);
	return (
		kind === 'file' &&
		typeof path === 'string' &&
		path !== '' &&
		(direct === undefined || typeof direct === 'boolean') &&
		(create === undefined || isLength(create)) &&
		(engine === undefined || isEngine(engine))
	);
}

/** What is to be made may not be there; what is to be used is a file or a block device. */
function checkFile(source: DiskSource & {kind: 'file'}, option: string, host: PathHost): VmmError | undefined {
	const {path, create} = source;
	if (create !== undefined) return checkPath(host, 'output', path, option);
	return host.path(path).kind === 'block device' ? undefined : checkPath(host, 'input', path, option);
}
