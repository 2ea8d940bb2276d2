import {FileDisk, FileShare} from '#devices/storage/file';
import {formatNames, formatSaid} from '#devices/storage/image-formats';
import {type EngineName, engineNames} from '#support/io-engine';
import {checkPath, invalidValue, optionError, parseSize} from '#support/options';
import {type DiskKind, parseWords} from './disk-kind.ts';
import {type FileSource, type ImageFormat, sectorBytes} from './disk-source.ts';
import {openImage} from './open-image.ts';

/** Formats that a file's name speaks of and does not say: what is in it is more than the disk's content. */
const otherFormats = /\.(qcow|qed|vmdk|vdi|avhdx?)$/i;
const keys = ['direct', 'create', 'engine', 'format', 'backing-folder'];

/** `file:PATH;direct;create=LEN;format=qcow2`. */
export const fileKind: DiskKind<FileSource> = {
	prefix: 'file',
	form: 'PATH or file:PATH (a raw image, a block device, or an image whose name or ;format= says qcow2, vhd or vhdx; then ;direct past the page cache, ;create=LEN for a new one, ;engine=io_uring or ;engine=threads, ;format=raw whatever its name says, ;backing-folder=PATH for what an image lies over)',
	parse({option, words, rest}) {
		parseWords(words, option, []);
		return parseFile(rest, option);
	},
	isRight: ({path, direct, create, engine, format, backingFolders}) =>
		typeof path === 'string' &&
		path !== '' &&
		(direct === undefined || typeof direct === 'boolean') &&
		(create === undefined || isLength(create)) &&
		(engine === undefined || isEngine(engine)) &&
		(format === undefined || isImageFormat(format)) &&
		(backingFolders === undefined || (format !== undefined && areFolders(backingFolders))),
	// What is to be made may not be there; what is to be used is a file or a block device.
	checkHost({path, create, format}, option, host) {
		if (create !== undefined) return checkPath(host, 'output', path, option);
		return host.path(path).kind === 'block device' && format === undefined
			? undefined
			: checkPath(host, 'input', path, option);
	},
	sharedBytes: () => FileShare.byteLength,
	open(source, opening) {
		if (source.format !== undefined) return openImage(source, source.format, opening);
		const {isReadOnly, reactor, worker, memory, offset} = opening;
		const share = FileShare.on(memory, offset);
		return FileDisk.open({config: source, isReadOnly, reactor, worker: worker.index, share});
	},
};

function parseFile(text: string, option: string): FileSource {
	const [, path = '', words = ''] = /^([^;]*)(.*)$/s.exec(text) ?? [];
	if (path === '') throw optionError('CONFIG_PATH_EMPTY', {option});
	const values = parseWords(words, option, keys);
	const [direct, create, engine, stated, folder] = keys.map((key) => values.get(key));
	if (direct) throw invalidValue(option, `direct=${direct}`, 'direct alone');
	if (stated !== undefined && stated !== 'raw' && !isImageFormat(stated))
		throw invalidValue(`${option} format`, stated, formatNames.join(', '));
	if (engine !== undefined && !isEngine(engine))
		throw invalidValue(`${option} engine`, engine, engineNames.join(' or '));
	if (stated === undefined && otherFormats.test(path))
		throw invalidValue(option, path, 'a name that says a format of ours; convert it, or state ;format= if it is one');
	const said = stated ?? formatSaid(path);
	const format = isImageFormat(said) ? said : undefined;
	if (folder !== undefined && (folder === '' || format === undefined))
		throw invalidValue(`${option} backing-folder`, folder, 'a folder, for an image of a format');
	const bytes = create === undefined ? undefined : parseSize(create, `${option} create`);
	if (bytes !== undefined && !isLength(bytes))
		throw invalidValue(`${option} create`, create, `a multiple of ${sectorBytes}`);
	return {
		kind: 'file',
		path,
		...(direct !== undefined && {direct: true}),
		...(bytes !== undefined && {create: bytes}),
		...(engine !== undefined && {engine}),
		...(format !== undefined && {format}),
		...(folder !== undefined && {backingFolders: [folder]}),
	};
}

const isImageFormat = (name: unknown): name is ImageFormat =>
	name !== 'raw' && (formatNames as readonly unknown[]).includes(name);
const areFolders = (value: unknown): boolean =>
	Array.isArray(value) && value.every((folder) => typeof folder === 'string' && folder !== '');
const isEngine = (name: unknown): name is EngineName => (engineNames as readonly unknown[]).includes(name);

/** True for a length that a disk may have. */
export const isLength = (bytes: unknown): boolean =>
	Number.isSafeInteger(bytes) && (bytes as number) > 0 && (bytes as number) % sectorBytes === 0;
