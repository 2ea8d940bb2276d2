import type {Readable, Writable} from 'node:stream';
import {Answer, BrokenRule, rule} from './answer.ts';
import {type Channel, type Request, readNothing} from './channel.ts';
import {collect} from './command.ts';
import type {Connection} from './connection.ts';
import {agentError} from './errors.ts';
import type {
	GuestFileEvent,
	GuestFileKind,
	GuestFileStatus,
	GuestFiles,
	GuestFolderEntry,
	WriteOptions,
} from './guest-files.ts';
import {Operands} from './operands.ts';
import {flags, limits} from './protocol.ts';

const mostRead = 64 * 2 ** 20;
/** What an entry of a folder takes besides its name. */
const entryCost = 64;
/** NAME_MAX of Linux. */
const mostName = 255;

/** By the kind's four bits of a mode, which getdents64(2) has too. */
const kinds: ReadonlyMap<number, GuestFileKind> = new Map([
	[1, 'fifo'],
	[2, 'character-device'],
	[4, 'directory'],
	[6, 'block-device'],
	[8, 'file'],
	[10, 'symlink'],
	[12, 'socket'],
]);

/** By bits of inotify(7), those that end a watch first. */
const events: readonly (readonly [mask: number, kind: GuestFileEvent['kind']])[] = [
	[0x4000, 'overflow'],
	[0x8000 | 0x2000 | 0x800 | 0x400, 'gone'],
	[0x100, 'created'],
	[0x200, 'deleted'],
	[0x40, 'moved-from'],
	[0x80, 'moved-to'],
	[0x8, 'closed'],
	[0x2, 'modified'],
	[0x4, 'attributes'],
];
const isFolderBit = 0x40000000;

interface Cancelable {
	readonly signal?: AbortSignal | undefined;
}

/** Files of a guest, by one connection to its agent. */
export class FileRequests implements GuestFiles {
	readonly #connection: Connection;

	constructor(connection: Connection) {
		this.#connection = connection;
	}

	async read(path: string, options: Cancelable & {readonly most?: number} = {}): Promise<Buffer> {
		return collect(this.readStream(path, options), `The file ${path}`, options.most ?? mostRead);
	}

	async write(path: string, content: Uint8Array | string, options: WriteOptions = {}): Promise<void> {
		const stream = this.writeStream(path, options);
		await new Promise<void>((resolve, reject) => {
			stream.on('error', reject);
			stream.on('finish', resolve);
			stream.end(content);
		});
	}

	readStream(path: string, options: Cancelable & {readonly start?: number} = {}): Readable {
		const operands = new Operands(`Reading ${path}`)
			.u64(options.start ?? 0)
			.path(path)
			.finish();
		const request = {operation: 'READ', verb: 'read', what: path, operands, outputs: 1, read: readSize} as const;
		return outputOf(this.#ask(request, options));
	}

	writeStream(path: string, options: WriteOptions = {}): Writable {
		const operands = new Operands(`Writing ${path}`)
			.u8((options.append ? flags.WRITE_APPEND : 0) | (options.atomic ? flags.WRITE_ATOMIC : 0))
			.u32(options.mode ?? 0o644)
			.path(path)
			.finish();
		const request: Request = {
			operation: 'WRITE',
			verb: 'write',
			what: path,
			operands,
			input: true,
			waitsForInput: true,
			read: readNothing,
		};
		const channel = this.#ask(request, options);
		const input = channel.input as NonNullable<typeof channel.input>;
		input.once('close', () => channel.giveUp(new Error('its writer has ended')));
		return input;
	}

	async stat(path: string, options: Cancelable & {readonly follow?: boolean} = {}): Promise<GuestFileStatus> {
		const operands = new Operands(`The status of ${path}`).u8(noFollow(options)).path(path).finish();
		return this.#ask({operation: 'STAT', verb: 'stat', what: path, operands, read: readStatus}, options).reply;
	}

	async readdir(path: string, options: Cancelable = {}): Promise<GuestFolderEntry[]> {
		const operands = new Operands(`The folder ${path}`).path(path).finish();
		const request = {operation: 'READDIR', verb: 'read the folder', what: path, operands} as const;
		const found: GuestFolderEntry[] = [];
		let size = 0;
		for await (const entry of this.#records(request, options, 1, readEntry)) {
			found.push(entry);
			size += entry.name.length + entryCost;
			if (size > mostRead) throw agentError('AGENT_OUTPUT_TOO_LONG', {what: `The folder ${path}`, most: mostRead});
		}
		return found;
	}

	mkdir(
		path: string,
		options: Cancelable & {readonly recursive?: boolean; readonly mode?: number} = {},
	): Promise<void> {
		const operands = new Operands(`The folder ${path}`)
			.u8(options.recursive ? flags.PATH_RECURSIVE : 0)
			.u32(options.mode ?? 0o755)
			.path(path)
			.finish();
		return this.#do({operation: 'MKDIR', verb: 'make the folder', what: path, operands}, options);
	}

	remove(
		path: string,
		options: Cancelable & {readonly recursive?: boolean; readonly force?: boolean} = {},
	): Promise<void> {
		const operands = new Operands(`Removing ${path}`)
			.u8((options.recursive ? flags.PATH_RECURSIVE : 0) | (options.force ? flags.PATH_FORCE : 0))
			.path(path)
			.finish();
		return this.#do({operation: 'REMOVE', verb: 'remove', what: path, operands}, options);
	}

	rename(from: string, to: string, options: Cancelable = {}): Promise<void> {
		const operands = new Operands(`Renaming ${from}`).path(from).path(to).finish();
		return this.#do({operation: 'RENAME', verb: 'rename', what: `${from} to ${to}`, operands}, options);
	}

	symlink(target: string, path: string, options: Cancelable = {}): Promise<void> {
		const operands = new Operands(`The link ${path}`).text(target, limits.MOST_PATH).path(path).finish();
		return this.#do({operation: 'SYMLINK', verb: 'make the link', what: path, operands}, options);
	}

	async readlink(path: string, options: Cancelable = {}): Promise<string> {
		const operands = new Operands(`The link ${path}`).path(path).finish();
		const request = {operation: 'READLINK', verb: 'read the link', what: path, operands, read: readTarget} as const;
		return this.#ask(request, options).reply;
	}

	chmod(path: string, mode: number, options: Cancelable = {}): Promise<void> {
		const operands = new Operands(`The mode of ${path}`).u32(mode).path(path).finish();
		return this.#do({operation: 'CHMOD', verb: 'change the mode of', what: path, operands}, options);
	}

	chown(path: string, uid: number, gid: number, options: Cancelable & {readonly follow?: boolean} = {}): Promise<void> {
		const operands = new Operands(`The owner of ${path}`).u8(noFollow(options)).u32(uid).u32(gid).path(path).finish();
		return this.#do({operation: 'CHOWN', verb: 'change the owner of', what: path, operands}, options);
	}

	utimes(
		path: string,
		atimeMs: number,
		mtimeMs: number,
		options: Cancelable & {readonly follow?: boolean} = {},
	): Promise<void> {
		const operands = new Operands(`The times of ${path}`).u8(noFollow(options)).time(atimeMs).time(mtimeMs).path(path);
		return this.#do(
			{operation: 'UTIMES', verb: 'change the times of', what: path, operands: operands.finish()},
			options,
		);
	}

	async *watch(path: string, options: Cancelable = {}): AsyncGenerator<GuestFileEvent, void, void> {
		const operands = new Operands(`Watching ${path}`).path(path).finish();
		const request = {operation: 'WATCH', verb: 'watch', what: path, operands} as const;
		for await (const event of this.#records(request, options, 8, readEvent)) {
			yield event;
			if (event.kind === 'gone') return;
		}
	}

	#ask<T>(request: Request<T>, {signal}: Cancelable): Channel<T> {
		return this.#connection.ask(request, signal);
	}

	async #do(request: Omit<Request, 'read'>, options: Cancelable): Promise<void> {
		await this.#ask({...request, read: readNothing}, options).reply;
	}

	/** Records of a stream: a part of a fixed size, the length of a name, and the name. */
	async *#records<T>(
		request: Omit<Request, 'read' | 'outputs'>,
		options: Cancelable,
		fixed: number,
		read: (record: Answer) => T,
	): AsyncGenerator<T, void, void> {
		const start = fixed + 2;
		let kept = Buffer.alloc(0);
		for await (const piece of outputOf(this.#ask({...request, outputs: 1, read: readNothing}, options))) {
			kept = Buffer.concat([kept, piece as Buffer]);
			let at = 0;
			while (kept.length - at >= start) {
				const length = kept.readUInt16LE(at + fixed);
				this.#checked(() => rule(length <= mostName, `a name of ${length} bytes`));
				const end = at + start + length;
				if (kept.length < end) break;
				const record = new Answer(kept.subarray(at, end));
				at = end;
				yield this.#checked(() => read(record));
			}
			kept = kept.subarray(at);
		}
		this.#checked(() => rule(kept.length === 0, 'a record that is cut off'));
	}

	/** What is read of an answer late breaks rules as what is read at once does. */
	#checked<T>(read: () => T): T {
		try {
			return read();
		} catch (error) {
			if (error instanceof BrokenRule) throw this.#connection.broken(error);
			throw error;
		}
	}
}

const noFollow = ({follow}: {readonly follow?: boolean}): number => (follow === false ? flags.PATH_NO_FOLLOW : 0);

/** The stream of a channel that has one, which ends what the agent does when it is left. */
function outputOf<T>(channel: Channel<T>): Readable {
	const output = channel.outputs[0] as (typeof channel.outputs)[number];
	output.once('close', () => channel.giveUp(new Error('its reader has ended')));
	return output;
}

const readSize = (answer: Answer): bigint => answer.u64();

function readTarget(answer: Answer): string {
	rule(answer.left <= limits.MOST_PATH + 1, 'a link that is too long');
	return answer.name(answer.left);
}

/** A name in a folder: none that leads elsewhere. */
function readName(answer: Answer): string {
	const name = answer.name(answer.u16());
	rule(!name.includes('/') && !name.includes('\0') && name !== '.' && name !== '..', 'a name that is none');
	return name;
}

function readEntry(answer: Answer): GuestFolderEntry {
	const kind = kinds.get(answer.u8());
	const name = readName(answer);
	rule(name !== '', 'an entry without a name');
	return {name, kind};
}

function readEvent(answer: Answer): GuestFileEvent {
	const [mask, cookie] = [answer.u32(), answer.u32()];
	const kind = events.find(([bits]) => (mask & bits) !== 0)?.[1];
	rule(kind !== undefined, 'an event that there is not');
	return {kind, name: readName(answer), isFolder: (mask & isFolderBit) !== 0, cookie};
}

function readStatus(answer: Answer): GuestFileStatus {
	const mode = answer.u16();
	const kind = kinds.get(mode >> 12);
	rule(kind !== undefined, 'a file of no kind');
	const [links, uid, gid, inode, size] = [answer.u32(), answer.u32(), answer.u32(), answer.u64(), answer.u64()];
	rule(size <= Number.MAX_SAFE_INTEGER, 'a file that is too large');
	const [atimeMs, mtimeMs, ctimeMs] = [answer.time(), answer.time(), answer.time()];
	return {kind, mode: mode & 0o7777, uid, gid, size: Number(size), mtimeMs, atimeMs, ctimeMs, inode, links};
}
