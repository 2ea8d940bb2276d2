import {
	type BytesFromGuest,
	type BytesToGuest,
	type Name,
	type NodeId,
	nameOf,
	type Owner,
	type Refused,
} from '#devices/folder';
import {type Chain, ReadablePart, WritablePart} from '#devices/virtio/queue';
import {Errno} from '#support/ffi';
import type {Fields, PlainFields, Wire} from '#support/wire';
import {InHeader, Opcode, OutHeader, WriteIn} from './layout.ts';

/** Most bytes of a request besides data to be written: an extended attribute's 64 KiB with its name, or two names. */
const mostArguments = 68 * 1024;

/** A request of the driver's, whose words have been read once. */
export class FuseRequest {
	readonly chain: Chain;
	readonly opcode: number;
	readonly unique: bigint;
	readonly node: NodeId;
	/** Whose the program is that asks. */
	readonly owner: Owner;
	/** What follows the header, but not what is to be written. */
	readonly words: Uint8Array;
	/** Bytes of data behind {@link words}. */
	readonly dataBytes: number;

	private constructor(chain: Chain, header: PlainFields<typeof InHeader.fields>, words: Uint8Array) {
		this.chain = chain;
		this.opcode = header.opcode;
		this.unique = header.unique;
		this.node = header.nodeid;
		this.owner = {uid: header.uid, gid: header.gid};
		this.words = words;
		this.dataBytes = header.len - InHeader.size - words.length;
	}

	/** Reads a chain. Undefined for one that is no request. */
	static of(chain: Chain): FuseRequest | undefined {
		const head = new Uint8Array(InHeader.size);
		if (!chain.read(0, head)) return undefined;
		const header = InHeader.read(head);
		const {len, opcode} = header;
		if (len < InHeader.size || len > chain.readable) return undefined;
		const rest = len - InHeader.size;
		const length = opcode === Opcode.WRITE ? Math.min(rest, WriteIn.size) : rest;
		if (length > mostArguments) return undefined;
		const words = new Uint8Array(length);
		return chain.read(InHeader.size, words) ? new FuseRequest(chain, header, words) : undefined;
	}

	/** Bytes that an answer may have behind its header; negative where there is no room for one. */
	get room(): number {
		return this.chain.writable - OutHeader.size;
	}

	/** Its struct; undefined where it is too short. */
	read<T extends Fields>(struct: Wire<T>): PlainFields<T> | undefined {
		return this.words.length < struct.size ? undefined : struct.read(this.words);
	}

	/**
	 * Names that follow each other from a byte on, each with NUL behind.
	 * @returns as many as are asked for, or what is wrong with one
	 */
	names(from: number, count: number): readonly Name[] | Refused {
		const names: Name[] = [];
		for (let at = from; names.length < count; ) {
			const end = this.words.indexOf(0, at);
			if (end < 0) return -Errno.EINVAL;
			const name = nameOf(this.words.subarray(at, end));
			if (typeof name === 'number') return name;
			names.push(name);
			at = end + 1;
		}
		return names;
	}

	/** Text with NUL behind, of any letters: a link's target, an attribute's name. Undefined without the NUL. */
	text(from: number): Uint8Array | undefined {
		const end = this.words.indexOf(0, from);
		return end < 0 ? undefined : this.words.slice(from, end);
	}

	/** Data to be written. */
	data(length: number): BytesFromGuest {
		return new ReadablePart(this.chain, InHeader.size + this.words.length, length);
	}

	/** Room for data behind the header of the answer. */
	target(length: number): BytesToGuest {
		return new WritablePart(this.chain, OutHeader.size, length);
	}
}
