import {type ArchiveFault, type ChunkFormat, decompressChunks} from '#main/compression';
import {gather, type TarMember, tarMembers} from '#main/tar';
import {type ArMember, arMembers} from './ar.ts';
import {debianError} from './errors.ts';
import {Paragraph, paragraphs} from './paragraph.ts';

/** Compressions of the two archives inside, by the ends of their names (deb(5)). */
const formats: Readonly<Record<string, ChunkFormat | 'none'>> = {
	'': 'none',
	'.gz': 'gzip',
	'.xz': 'xz',
	'.zst': 'zstd',
};
/** Control files are texts and lists of files; the largest that Debian has is of 2 MB. */
const maxControlBytes = 2 ** 26;

/** A Debian package (deb(5)): what it says of itself, and its files. */
export class DebFile {
	readonly control: Paragraph;
	/** Its control files by their names, beside `control`: the maintainer's scripts, checksums and lists. Nothing runs them. */
	readonly controlFiles: ReadonlyMap<string, Uint8Array>;
	readonly #data: ArMember;
	readonly #fault: (what: string) => Error;
	readonly #name: string;

	private constructor(name: string, control: Paragraph, controlFiles: Map<string, Uint8Array>, data: ArMember) {
		this.control = control;
		this.controlFiles = controlFiles;
		this.#name = name;
		this.#data = data;
		this.#fault = faultOf(name);
	}

	/**
	 * @param name - what errors call it
	 * @throws VmmError PACKAGE_DAMAGED, PACKAGE_UNSUPPORTED
	 */
	static async open(name: string, bytes: Uint8Array): Promise<DebFile> {
		const fault = faultOf(name);
		const [version, control, data] = partsOf(bytes, fault);
		const format = Buffer.from(version.bytes.subarray(0, 16)).toString('latin1');
		if (!format.startsWith('2.'))
			throw unsupported(name, `its format is ${JSON.stringify(format.trimEnd())}, and not 2`);
		const files = await readControl(tarMembers(decompressed(name, control), fault), fault);
		const text = files.get('control');
		if (text === undefined) throw fault('it has no file control');
		files.delete('control');
		const [paragraph] = paragraphs(Buffer.from(text).toString('utf8'));
		return new DebFile(name, paragraph ?? new Paragraph(''), files, data);
	}

	/** Its files, in their order. What is asked for again is decompressed again. */
	members(): AsyncGenerator<TarMember, void> {
		return tarMembers(decompressed(this.#name, this.#data), this.#fault);
	}

	/** The error of a file in it that cannot be. */
	damaged(what: string): Error {
		return this.#fault(what);
	}
}

const faultOf = (name: string) => (what: string) => debianError('PACKAGE_DAMAGED', {package: name, what});
const unsupported = (name: string, what: string) => debianError('PACKAGE_UNSUPPORTED', {package: name, what});

/** The three members that count, which are the first ones in this order; names that begin with _ are for others. */
function partsOf(bytes: Uint8Array, fault: (what: string) => Error): [ArMember, ArMember, ArMember] {
	const members = arMembers(bytes, fault);
	const next = (name: string) => {
		let member = members.next().value;
		while (member?.name.startsWith('_')) member = members.next().value;
		if (member === undefined) throw fault(`it has no ${name}`);
		if (member.name === name || member.name.startsWith(`${name}.`)) return member;
		throw fault(`it has ${JSON.stringify(member.name)} where ${name} has to be`);
	};
	return [next('debian-binary'), next('control.tar'), next('data.tar')];
}

function decompressed(name: string, {name: member, bytes}: ArMember): AsyncIterable<Uint8Array> {
	const ending = member.replace(/^[^.]*\.tar/, '');
	const format = formats[ending];
	if (format === undefined)
		throw unsupported(name, `its ${member} is compressed as ${ending}, and not as gz, xz or zst`);
	return format === 'none' ? pieceOf(bytes) : decompressChunks(bytes, format, archiveFault(name, member));
}

async function* pieceOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
	yield bytes;
}

function archiveFault(name: string, member: string): ArchiveFault {
	const fault = faultOf(name);
	return {
		truncated: () => fault(`its ${member} is cut off`),
		damaged: (what) => fault(`its ${member} is damaged: ${what}`),
		unsupported: (what) => unsupported(name, `its ${member}: ${what}`),
		trailing: (length) => fault(`${length} bytes follow its ${member}`),
	};
}

async function readControl(
	members: AsyncIterable<TarMember>,
	fault: (what: string) => Error,
): Promise<Map<string, Uint8Array>> {
	const files = new Map<string, Uint8Array>();
	let total = 0;
	for await (const {path, kind, length, content} of members) {
		if (kind !== 'file') continue;
		const name = path.replace(/^\.\//, '');
		if (!/^[a-z0-9.+-]+$/i.test(name) || name.startsWith('.'))
			throw fault(`it has a control file named ${JSON.stringify(path)}`);
		total += length + 1;
		if (total > maxControlBytes) throw fault(`its control files have more than ${maxControlBytes} bytes`);
		files.set(name, await gather(content));
	}
	return files;
}
