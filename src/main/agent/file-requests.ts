import type {Readable, Writable} from 'node:stream';
import {Answer, BrokenRule, rule} from './answer.ts';
import type {Channel, Request} from './channel.ts';
import {collect} from './command.ts';
import type {Connection} from './connection.ts';
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
/** Entries of one folder that are kept. */
const mostEntries = 2 ** 20;

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
		const channel = this.#ask({operation: 'READ', verb: 'read', what: path, operands, outputs: 1}, options);
		return outputOf(channel);
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
		};
		const channel = this.#ask(request, options);
		const input = channel.input as NonNullable<Channel['input']>;
		input.once('close', () => channel.giveUp(new Error('its writer has ended')));
		return input;
	}

	async stat(path: string, options: Cancelable & {readonly follow?: boolean} = {}): Promise<GuestFileStatus> {
		const operands = new Operands(`The status of ${path}`).u8(noFollow(options)).path(path).finish();
		return this.#answer({operation: 'STAT', verb: 'stat', what: path, operands}, options, readStatus);
	}

	async readdir(path: string, options: Cancelable = {}): Promise<GuestFolderEntry[]> {
		const operands = new Operands(`The folder ${path}`).path(path).finish();
		const request: Request = {operation: 'READDIR', verb: 'read the folder', what: path, operands, outputs: 1};
		const found: GuestFolderEntry[] = [];
		for await (const record of this.#records(this.#ask(request, options), 1, 2, 255)) {
			const kind = kinds.get(record.u8());
			found.push({name: record.text(record.u16()), kind});
			this.#check(found.length <= mostEntries, `a folder of more than ${mostEntries} entries`);
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

	readlink(path: string, options: Cancelable = {}): Promise<string> {
		const operands = new Operands(`The link ${path}`).path(path).finish();
		const request: Request = {operation: 'READLINK', verb: 'read the link', what: path, operands};
		return this.#answer(request, options, (answer) => {
			rule(answer.left <= limits.MOST_PATH + 1, 'a link that is too long');
			return answer.text();
		});
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
		const channel = this.#ask({operation: 'WATCH', verb: 'watch', what: path, operands, outputs: 1}, options);
		for await (const record of this.#records(channel, 8, 2, 255)) {
			const [mask, cookie] = [record.u32(), record.u32()];
			const kind = events.find(([bits]) => (mask & bits) !== 0)?.[1];
			this.#check(kind !== undefined, 'an event that there is not');
			yield {kind, name: record.text(record.u16()), isFolder: (mask & isFolderBit) !== 0, cookie};
			if (kind === 'gone') return;
		}
	}

	#ask(request: Request, {signal}: Cancelable): Channel {
		return this.#connection.ask(request, signal);
	}

	async #do(request: Request, options: Cancelable): Promise<void> {
		await this.#answer(request, options, () => undefined);
	}

	async #answer<T>(request: Request, options: Cancelable, read: (answer: Answer) => T): Promise<T> {
		const channel = this.#ask(request, options);
		const answer = new Answer(await channel.reply);
		return this.#checked(() => {
			const value = read(answer);
			answer.end();
			return value;
		});
	}

	/** Records of a stream: a part of a fixed size, a length, and as many bytes. */
	async *#records(channel: Channel, fixed: number, lengthSize: 2, most: number): AsyncGenerator<Answer, void, void> {
		let kept = Buffer.alloc(0);
		for await (const piece of outputOf(channel)) {
			kept = Buffer.concat([kept, piece as Buffer]);
			let at = 0;
			for (;;) {
				const start = fixed + lengthSize;
				if (kept.length - at < start) break;
				const length = kept.readUInt16LE(at + fixed);
				this.#check(length <= most, `a name of ${length} bytes`);
				if (kept.length - at < start + length) break;
				const record = new Answer(kept.subarray(at, at + start + length));
				at += start + length;
				yield record;
			}
			kept = kept.subarray(at);
		}
		this.#check(kept.length === 0, 'a record that is cut off');
	}

	#check(isKept: boolean, what: string): asserts isKept {
		this.#checked(() => rule(isKept, what));
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
function outputOf(channel: Channel): Readable {
	const output = channel.outputs[0] as Channel['outputs'][number];
	output.once('close', () => channel.giveUp(new Error('its reader has ended')));
	return output;
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
