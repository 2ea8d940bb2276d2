import type {GuestMemory} from '#devices/guest-memory';
import type {FieldsView} from '#support/wire';
import {channelsPerChip, commandDisable, Mode, pageOfChannel, Transfer} from './registers.ts';
import type {Dma8237Fields} from './state.ts';

/** Number of a channel that devices can use; 4 is the cascade. */
export type DmaChannelNumber = 0 | 1 | 2 | 3 | 5 | 6 | 7;

const pageUnits = 0x1_0000;

/**
 * One channel as the device on it sees it: it asserts its request and takes what the guest has set up. To be called under
 * the controllers' lock. A transfer never leaves the 64 Ki bytes or words of its page and ends with the bytes given.
 */
export class DmaChannel {
	readonly #state: FieldsView<Dma8237Fields>;
	readonly #memory: GuestMemory;
	readonly #channel: DmaChannelNumber;

	constructor(state: FieldsView<Dma8237Fields>, memory: GuestMemory, channel: DmaChannelNumber) {
		this.#state = state;
		this.#memory = memory;
		this.#channel = channel;
	}

	/** Bytes that one transfer moves: 1 on the first chip, 2 on the second. */
	get unit(): 1 | 2 {
		return this.#channel < channelsPerChip ? 1 : 2;
	}

	/** Bytes up to the end of what the guest has set up; 0 while it does not let the channel transfer. */
	get left(): number {
		return this.#isReady ? (this.#get('count') + 1) * this.unit : 0;
	}

	/**
	 * The device gives bytes: to memory, or nowhere when the guest only wants them verified.
	 * @returns how many were taken, a multiple of {@link unit}; none when the channel is set up for the other direction
	 */
	give(bytes: Uint8Array): number {
		return this.#run(Transfer.WRITE_MEMORY, bytes, (gpa, piece) => this.#memory.copyIn(gpa, piece));
	}

	/** The device takes bytes from memory. @returns how many it got; the rest of `target` is unchanged */
	take(target: Uint8Array): number {
		return this.#run(Transfer.READ_MEMORY, target, (gpa, piece) => {
			// Memory that is not RAM reads as a bus without a responder.
			if (!this.#memory.copyOut(gpa, piece)) piece.fill(0xff);
		});
	}

	get #chip(): 0 | 1 {
		return this.#channel < channelsPerChip ? 0 : 1;
	}

	get #bit(): number {
		return 1 << (this.#channel % channelsPerChip);
	}

	get #mode(): number {
		return this.#state.mode[this.#channel] as number;
	}

	get #isReady(): boolean {
		const {command, unmasked} = this.#state;
		const on = ((command[this.#chip] as number) & commandDisable) === 0;
		const isCascade = this.#mode >> Mode.KIND_SHIFT === Mode.CASCADE;
		return on && !isCascade && ((unmasked[this.#chip] as number) & this.#bit) !== 0;
	}

	#run(direction: number, bytes: Uint8Array, move: (gpa: number, piece: Uint8Array) => void): number {
		const transfer = (this.#mode >> Mode.TRANSFER_SHIFT) & Mode.TRANSFER_MASK;
		const isVerify = transfer === Transfer.VERIFY;
		if (!isVerify && transfer !== direction) return 0;
		const units = Math.floor(Math.min(bytes.length, this.left) / this.unit);
		if (!isVerify) this.#move(bytes.subarray(0, units * this.unit), move);
		this.#advance(units);
		return units * this.unit;
	}

	/** Moves whole units: upwards in one or two pieces, since the address wraps in its page; downwards one by one. */
	#move(bytes: Uint8Array, move: (gpa: number, piece: Uint8Array) => void): void {
		const down = (this.#mode & Mode.DECREMENT) !== 0;
		const {unit} = this;
		let address = this.#get('address');
		for (let done = 0; done < bytes.length; ) {
			const most = down ? unit : (pageUnits - address) * unit;
			const piece = bytes.subarray(done, done + most);
			move(this.#gpa(address), piece);
			done += piece.length;
			address = (down ? address - 1 : address + piece.length / unit) & (pageUnits - 1);
		}
	}

	/** Counts, and ends at the terminal count: then the channel is masked, or starts again. */
	#advance(units: number): void {
		const down = (this.#mode & Mode.DECREMENT) !== 0;
		const left = this.#get('count') + 1 - units;
		this.#set('address', this.#get('address') + (down ? -units : units));
		this.#set('count', left - 1);
		if (left > 0 || units === 0) return;
		const {ended, requests, unmasked, baseAddress, baseCount} = this.#state;
		const [chip, bit] = [this.#chip, this.#bit];
		ended[chip] = (ended[chip] as number) | bit;
		requests[chip] = (requests[chip] as number) & ~bit;
		if ((this.#mode & Mode.AUTO_INITIALIZE) === 0) {
			unmasked[chip] = (unmasked[chip] as number) & ~bit;
			return;
		}
		this.#set('address', baseAddress[this.#channel] as number);
		this.#set('count', baseCount[this.#channel] as number);
	}

	/** Of words, the address is shifted and the page's lowest bit is not used (IBM PC/AT Technical Reference). */
	#gpa(address: number): number {
		const page = this.#state.page[pageOfChannel[this.#channel]] as number;
		return this.unit === 1 ? (page << 16) + address : ((page & 0xfe) << 16) + address * 2;
	}

	/** A saved state may hold more bits than the register has. */
	#get(name: 'address' | 'count'): number {
		return (this.#state[name][this.#channel] as number) & 0xffff;
	}

	#set(name: 'address' | 'count', value: number): void {
		this.#state[name][this.#channel] = value & 0xffff;
	}
}
