import {type Answer, type Folder, isLater, isRefused, type Refused} from '#devices/folder';
import {type Chain, ReadablePart, WritablePart} from '#devices/virtio/queue';
import {Errno} from '#support/ffi';
import {viewOf} from '#support/wire';
import {directoryOperations} from './directory-operations.ts';
import {FidTable} from './fid-table.ts';
import {fileOperations} from './file-operations.ts';
import {headerBytes, writeHeader} from './message.ts';
import {Reply, Request, Type} from './messages.ts';
import {nameOperations} from './name-operations.ts';
import {type Exchange, type Operation, type Outcome, outcome, type Session} from './operation.ts';
import {fidOperations} from './walk.ts';

/** Bytes of a message with its data that the two agree on at most, and at least (Linux asks for no fewer). */
export const [leastMessageBytes, mostMessageBytes] = [4096, 2 ** 19];
/** The only version: 9P2000.L. */
const version = '9P2000.L';
/** Bytes of the longest request, but for data: a walk of names, or an attachment with its labels. */
const mostRequestBytes = 4608;
/** Bytes of a write before its data. What comes first is read so far, and the rest where it is no write. */
const writeHeaderBytes = headerBytes + 16;
/** Bytes that any error takes. */
const leastReplyBytes = headerBytes + 4;

const operations: ReadonlyMap<number, Operation> = new Map(
	[...fidOperations, ...fileOperations, ...nameOperations, ...directoryOperations].map((each) => [
		each.request.type,
		each,
	]),
);

/** A request, as its header has it. */
interface Header {
	readonly size: number;
	readonly type: number;
	readonly tag: number;
}

/** Serves a client's requests: each is a chain, which is read once and answered in itself. */
export class Requests implements Session {
	readonly folder: Folder;
	readonly fids: FidTable;
	/** What the two have agreed on; 0 before they have. */
	mostBytes = 0;
	readonly #request = new Uint8Array(mostRequestBytes);
	readonly #reply = new Uint8Array(leastMessageBytes + 2 ** 16);
	/** By tag: those that are not done. */
	readonly #flights = new Map<number, Promise<unknown>>();
	#isAlone = false;

	constructor(folder: Folder) {
		this.folder = folder;
		this.fids = new FidTable(folder);
	}

	/** Requests that are under way. */
	get inFlight(): number {
		return this.#flights.size;
	}

	/** A session begins: nothing else is served until it has. */
	get isAlone(): boolean {
		return this.#isAlone;
	}

	/**
	 * Does what a chain asks for.
	 * @returns the bytes of its reply, in its buffers already
	 */
	serve(chain: Chain): number | Promise<number> {
		const header = this.#read(chain);
		if (header === undefined) return 0;
		const {tag} = header;
		const room = Math.min(chain.writable, Math.max(this.mostBytes, leastMessageBytes));
		const answer = this.#answer(header, chain, room);
		if (!isLater(answer)) return this.#write(chain, tag, room, answer);
		const flight = answer.then((later) => {
			this.#flights.delete(tag);
			return this.#write(chain, tag, room, later);
		});
		this.#flights.set(tag, flight);
		return flight;
	}

	/** Reads a request, its data apart; undefined for what nobody could be answered. */
	#read(chain: Chain): Header | undefined {
		const {readable, writable} = chain;
		const first = Math.min(readable, writeHeaderBytes);
		if (readable < headerBytes || writable < leastReplyBytes || !chain.read(0, this.#request, 0, first))
			return undefined;
		const view = viewOf(this.#request);
		const [size, type, tag] = [view.getUint32(0, true), view.getUint8(4), view.getUint16(5, true)];
		const end = type === Type.WRITE ? first : Math.min(size, readable, mostRequestBytes);
		if (end > first && !chain.read(first, this.#request, first, end - first)) return undefined;
		return {size, type, tag};
	}

	#answer({size, type, tag}: Header, chain: Chain, room: number): Answer<Outcome> {
		const isWrite = type === Type.WRITE;
		if (size < headerBytes || size > chain.readable) return -Errno.EINVAL;
		if (size > (isWrite ? Math.max(this.mostBytes, leastMessageBytes) : mostRequestBytes)) return -Errno.EMSGSIZE;
		// Two requests by one name could not be told apart.
		if (this.#flights.has(tag)) return -Errno.EINVAL;
		const bytes = this.#request.subarray(0, isWrite ? Math.min(size, writeHeaderBytes) : size);
		if (type === Type.VERSION) return this.#negotiate(bytes);
		if (this.mostBytes === 0) return -Errno.EPROTO;
		if (type === Type.FLUSH) return this.#flush(bytes, tag);
		const operation = operations.get(type);
		if (operation === undefined) return -Errno.EOPNOTSUPP;
		const fields = operation.request.read(bytes);
		if (isRefused(fields)) return fields;
		const exchange: Exchange = {
			room,
			sent: (length) =>
				writeHeaderBytes + length <= size ? new ReadablePart(chain, writeHeaderBytes, length) : undefined,
			space: (start, length) => new WritablePart(chain, start, length),
		};
		return operation.serve(this, fields as never, exchange);
	}

	/** A session begins, and what was before it is forgotten when nothing uses it any more (version(5) of 9P2000). */
	#negotiate(bytes: Uint8Array): Answer<Outcome> {
		const fields = Request.version.read(bytes);
		if (isRefused(fields)) return fields;
		const mostBytes = Math.min(fields.mostBytes, mostMessageBytes);
		if (mostBytes < leastMessageBytes) return -Errno.EMSGSIZE;
		const isKnown = fields.version === version;
		const begun = outcome(Reply.version, {mostBytes, version: isKnown ? version : 'unknown'});
		const begin = () => {
			this.#isAlone = false;
			this.mostBytes = isKnown ? mostBytes : 0;
			return begun;
		};
		if (this.#flights.size === 0 && this.fids.size === 0) return begin();
		this.#isAlone = true;
		return Promise.all(this.#flights.values())
			.then(() => this.fids.clear())
			.then(begin);
	}

	/** A request that the client gives up is answered all the same, and before this (flush(5) of 9P2000). */
	#flush(bytes: Uint8Array, tag: number): Answer<Outcome> {
		const fields = Request.flush.read(bytes);
		if (isRefused(fields)) return fields;
		const flight = fields.tag === tag ? undefined : this.#flights.get(fields.tag);
		const done = outcome(Reply.flush, {});
		return flight === undefined ? done : flight.then(() => done);
	}

	/** Puts a reply, or the error in its place, into the chain's buffers. @returns its length */
	#write(chain: Chain, tag: number, room: number, answer: Outcome | Refused): number {
		if (isRefused(answer)) return this.#writeError(chain, tag, -answer);
		const {message, values, behind, moved = 0} = answer;
		const length = message.write(this.#reply.subarray(0, room), tag, values);
		if (length === undefined) return this.#writeError(chain, tag, Errno.EMSGSIZE);
		const size = length + (behind?.length ?? 0) + moved;
		if (size > room) return this.#writeError(chain, tag, Errno.EMSGSIZE);
		writeHeader(this.#reply, size, message.type, tag);
		if (behind !== undefined) this.#reply.set(behind, length);
		return chain.write(0, this.#reply, 0, size - moved) ? size : 0;
	}

	#writeError(chain: Chain, tag: number, errno: number): number {
		const length = Reply.error.write(this.#reply, tag, {errno}) ?? 0;
		return chain.write(0, this.#reply, 0, length) ? length : 0;
	}
}
