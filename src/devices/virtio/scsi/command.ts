import type {DmaDirection} from '#devices/guest-memory';
import {mostSenseBytes, ScsiRequest} from '#devices/storage/scsi';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {CommandHeader, CommandResponse, lunOf, Response} from './layout.ts';

export const queueSize = 128;
/** Data segments that a command may have: its header and its response take a descriptor each. */
export const mostSegments = queueSize - 2;
/** A segment may lie in two pieces of RAM; of a command's few do. */
const mostVectors = mostSegments + 8;
/** As long as the driver may have them; so long they are unless it says otherwise. */
export const [mostCdb, mostSense] = [32, 96];

/** Where the parts of an answer lie: they are written for each command, and nothing is made for that. */
const at = {
	senseLength: CommandResponse.offset('senseLength'),
	residual: CommandResponse.offset('residual'),
	status: CommandResponse.offset('status'),
	response: CommandResponse.offset('response'),
} as const;

/** Lengths that the driver has chosen, as they are now. */
export interface CommandSizes {
	readonly cdbBytes: number;
	readonly senseBytes: number;
}

/** Told of commands that a unit has no more. */
export interface CommandOwner {
	ended(command: Command): void;
	/** It is to be executed anew when the machine goes on. */
	held(command: Command): void;
}

/** A driver's command while a unit has it. */
export class Command extends ScsiRequest {
	readonly #owner: CommandOwner;
	readonly #header = CommandHeader.on(new ArrayBuffer(CommandHeader.byteLength));
	readonly #response = new DataView(new ArrayBuffer(CommandResponse.size + mostSense));
	readonly #responseBytes = new Uint8Array(this.#response.buffer);
	#queue: VirtQueue | undefined;
	/** Number of its queue. */
	queueIndex = 0;
	#chain: Chain | undefined;
	#dataStart = 0;
	#dataEnd = 0;
	/** A task management function has taken it back, and this is the answer. */
	withdrawn: number | undefined;
	isUnderWay = false;

	constructor(owner: CommandOwner) {
		super(mostVectors);
		this.#owner = owner;
	}

	get queue(): VirtQueue {
		return this.#queue as VirtQueue;
	}

	get chain(): Chain {
		return this.#chain as Chain;
	}

	/** Takes a driver's chain; false where there is no way to answer it. */
	receive(queue: VirtQueue, index: number, chain: Chain, {cdbBytes, senseBytes}: CommandSizes): boolean {
		this.#queue = queue;
		this.queueIndex = index;
		this.#chain = chain;
		this.#dataStart = CommandHeader.size + cdbBytes;
		this.#dataEnd = CommandResponse.size + senseBytes;
		this.withdrawn = undefined;
		if (chain.writable < this.#dataEnd || !chain.read(0, this.#header.$bytes, 0, CommandHeader.size)) return false;
		this.cdb.bytes.fill(0);
		if (!chain.read(CommandHeader.size, this.cdb.bytes, 0, cdbBytes)) return false;
		this.dataOut = chain.readable - this.#dataStart;
		this.dataIn = chain.writable - this.#dataEnd;
		return true;
	}

	/** The unit that it is for; undefined where no address of ours is that. */
	get lun(): number | undefined {
		return lunOf(this.#header.lun);
	}

	/** The driver's name for it, as it lies in its memory. */
	hasId(id: bigint): boolean {
		return this.#header.id === id;
	}

	/** The driver may give data or take them, not both. */
	get isOneWay(): boolean {
		return this.dataOut === 0 || this.dataIn === 0;
	}

	/** Gives the chain back with an answer of the device's own. */
	answer(response: number): void {
		this.#complete(response, 0, 0);
	}

	override readData(target: Uint8Array, length: number): boolean {
		return this.chain.read(this.#dataStart, target, 0, length);
	}

	override writeData(source: Uint8Array, length: number): boolean {
		return this.chain.write(this.#dataEnd, source, 0, length);
	}

	protected override pinData(direction: DmaDirection, length: number): boolean {
		const start = direction === 'write' ? this.#dataEnd : this.#dataStart;
		return this.chain.pin(direction, this.vectors, start, length);
	}

	protected override ended(): void {
		this.#owner.ended(this);
	}

	/** Who has agreed on a packed ring with a machine of another policy, and then was restored, hears of the error. */
	protected override get mayBeHeld(): boolean {
		return this.withdrawn === undefined && this.queue.mayLeave;
	}

	protected override held(): void {
		this.#owner.held(this);
	}

	/** Tells the driver how it has ended. */
	complete(): void {
		if (this.withdrawn !== undefined) this.answer(this.withdrawn);
		else this.#complete(this.isOverrun ? Response.OVERRUN : Response.OK, this.sense.length, this.moved);
	}

	#complete(response: number, senseLength: number, moved: number): void {
		const view = this.#response;
		const most = this.#dataEnd - CommandResponse.size;
		const length = Math.min(senseLength, most, mostSenseBytes);
		view.setUint32(at.senseLength, length, true);
		view.setUint32(at.residual, Math.max(0, this.dataIn + this.dataOut - moved), true);
		view.setUint8(at.status, response === Response.OK ? this.status : 0);
		view.setUint8(at.response, response);
		if (length > 0) this.#responseBytes.set(this.sense.subarray(0, length), CommandResponse.size);
		const {chain} = this;
		const isTold = chain.write(0, this.#responseBytes, 0, CommandResponse.size + length);
		this.queue.complete(chain, isTold ? this.#dataEnd + (this.dataIn > 0 ? moved : 0) : 0);
	}
}
