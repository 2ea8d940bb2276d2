import type {FieldsView} from '#support/wire';
import {channelMask, channelsPerChip, floatingBus, Port, setBit} from './registers.ts';
import type {Dma8237Fields} from './state.ts';

const allChannels = (1 << channelsPerChip) - 1;

/** The registers of one 8237A over the shared state. */
export class DmaChip {
	readonly #state: FieldsView<Dma8237Fields>;
	readonly #chip: 0 | 1;

	constructor(state: FieldsView<Dma8237Fields>, chip: 0 | 1) {
		this.#state = state;
		this.#chip = chip;
	}

	/** `register` is 0 to 15. */
	read(register: number): number {
		if (register < Port.COMMAND) return this.#readChannel(register);
		switch (register) {
			case Port.COMMAND:
				return this.#takeStatus();
			case Port.MASTER_CLEAR:
				// The temporary register: only transfers from memory to memory, which no PC has, use it.
				return 0;
			case Port.ALL_MASKS:
				return 0xf0 | (~this.#get('unmasked') & allChannels);
			default:
				return floatingBus;
		}
	}

	/** `register` is 0 to 15, `value` a byte. */
	write(register: number, value: number): void {
		if (register < Port.COMMAND) this.#writeChannel(register, value);
		else this.#control(register, value);
	}

	#control(register: number, value: number): void {
		const channel = value & channelMask;
		const bit = 1 << channel;
		const isSet = (value & setBit) !== 0;
		switch (register) {
			case Port.COMMAND:
				this.#set('command', value);
				break;
			case Port.REQUEST:
				this.#setBits('requests', bit, isSet);
				break;
			case Port.MASK:
				this.#setBits('unmasked', bit, !isSet);
				break;
			case Port.MODE:
				this.#state.mode[this.#first + channel] = value & ~channelMask;
				break;
			case Port.CLEAR_FLIP_FLOP:
				this.#set('flipFlop', 0);
				break;
			case Port.MASTER_CLEAR:
				for (const name of ['command', 'ended', 'requests', 'unmasked', 'flipFlop'] as const) this.#set(name, 0);
				break;
			case Port.CLEAR_MASK:
				this.#set('unmasked', allChannels);
				break;
			case Port.ALL_MASKS:
				this.#set('unmasked', ~value & allChannels);
				break;
		}
	}

	get #first(): number {
		return this.#chip * channelsPerChip;
	}

	/** Reading the status forgets which channels have ended; requests stay. */
	#takeStatus(): number {
		const status = (this.#get('ended') & allChannels) | ((this.#get('requests') & allChannels) << channelsPerChip);
		this.#set('ended', 0);
		return status;
	}

	#readChannel(register: number): number {
		const values = (register & 1) === 0 ? this.#state.address : this.#state.count;
		const value = values[this.#first + (register >> 1)] as number;
		return (value >> (this.#toggle() * 8)) & 0xff;
	}

	/** A byte goes to what was written and to where the transfer is. */
	#writeChannel(register: number, value: number): void {
		const {address, baseAddress, count, baseCount} = this.#state;
		const channel = this.#first + (register >> 1);
		const shift = this.#toggle() * 8;
		for (const values of (register & 1) === 0 ? [address, baseAddress] : [count, baseCount]) {
			values[channel] = ((values[channel] as number) & (0xff00 >> shift)) | (value << shift);
		}
	}

	/** Tells which byte this access is to: 0 is the low one. */
	#toggle(): number {
		const high = this.#get('flipFlop') & 1;
		this.#set('flipFlop', high ^ 1);
		return high;
	}

	#get(name: PerChip): number {
		return this.#state[name][this.#chip] as number;
	}

	#set(name: PerChip, value: number): void {
		this.#state[name][this.#chip] = value;
	}

	#setBits(name: PerChip, bits: number, isSet: boolean): void {
		this.#set(name, isSet ? this.#get(name) | bits : this.#get(name) & ~bits);
	}
}

type PerChip = 'command' | 'ended' | 'requests' | 'unmasked' | 'flipFlop';
