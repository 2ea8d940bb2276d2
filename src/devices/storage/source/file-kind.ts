import {FileDisk, FileShare} from '#devices/storage/file';
import {type EngineName, engineNames} from '#support/io-engine';
import {checkPath, invalidValue, optionError, parseSize} from '#support/options';
import {type DiskKind, parseWords} from './disk-kind.ts';
import {type FileSource, sectorBytes} from './disk-source.ts';

/** Formats that a file's name speaks of and that are none of ours: what is in it is more than the disk's content. */
const otherFormats = /\.(vhdx?|vmgs|qcow2?|qed|vmdk|vdi|avhdx?)$/i;

/** `file:PATH;direct;create=LEN`. */
export const fileKind: DiskKind<FileSource> = {
	prefix: 'file',
	form: 'PATH or file:PATH (a raw image or a block device; then ;direct past the page cache, ;create=LEN for a new one, ;engine=io_uring or ;engine=threads, ;format=raw whatever its name says)',
	parse({option, words, rest}) {
		parseWords(words, option, []);
		return parseFile(rest, option);
	},
	isRight: ({path, direct, create, engine}) =>
		typeof path === 'string' &&
		path !== '' &&
		(direct === undefined || typeof direct === 'boolean') &&
		(create === undefined || isLength(create)) &&
		(engine === undefined || isEngine(engine)),
	// What is to be made may not be there; what is to be used is a file or a block device.
	checkHost({path, create}, option, host) {
		if (create !== undefined) return checkPath(host, 'output', path, option);
		return host.path(path).kind === 'block device' ? undefined : checkPath(host, 'input', path, option);
	},
	sharedBytes: () => FileShare.byteLength,
	open: (config, {isReadOnly, reactor, worker, memory, offset}) =>
		FileDisk.open({config, isReadOnly, reactor, worker: worker.index, share: FileShare.on(memory, offset)}),
};

function parseFile(text: string, option: string): FileSource {
	const [, path = '', words = ''] = /^([^;]*)(.*)$/s.exec(text) ?? [];
	if (path === '') throw optionError('CONFIG_PATH_EMPTY', {option});
	const values = parseWords(words, option, ['direct', 'create', 'engine', 'format']);
	const [direct, create, engine, format] = ['direct', 'create', 'engine', 'format'].map((key) => values.get(key));
	if (direct) throw invalidValue(option, `direct=${direct}`, 'direct alone');
	if (format !== undefined && format !== 'raw') throw invalidValue(`${option} format`, format, 'raw');
	if (engine !== undefined && !isEngine(engine))
		throw invalidValue(`${option} engine`, engine, engineNames.join(' or '));
	if (format === undefined && otherFormats.test(path))
		throw invalidValue(
			option,
			path,
			'a raw image: this name is of another format; convert it, or say ;format=raw if it is raw',
		);
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

const isEngine = (name: unknown): name is EngineName => (engineNames as readonly unknown[]).includes(name);

/** True for a length that a disk may have. */
export const isLength = (bytes: unknown): boolean =>
	Number.isSafeInteger(bytes) && (bytes as number) > 0 && (bytes as number) % sectorBytes === 0;
