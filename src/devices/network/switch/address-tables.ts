import {addressesPerPort, mostPorts, portOf} from './switch-memory.ts';

/** Address at an offset of a frame, as a number. */
const addressAt = (view: DataView, offset: number): number =>
	view.getUint16(offset) * 2 ** 32 + view.getUint32(offset + 2);

const isGroup = (view: DataView, offset: number): boolean => (view.getUint8(offset) & 1) !== 0;

/**
 * The ports of a switch by the addresses that were sent from, as one port sees them: each has a table of its own, so that a guest that
 * sends from many addresses pushes out nothing but its own. Who sends from an address gets what is sent to it, as on any switch.
 */
export class AddressTables {
	readonly #tables: readonly Float64Array[];
	readonly #own: Float64Array;
	/** Place in the own table that the next address goes to. */
	#next = 0;
	/** Where the last address was found that was looked for. */
	#lastPort = 0;
	#lastPlace = 0;

	constructor(memory: SharedArrayBuffer, port: number) {
		this.#tables = Array.from(
			{length: mostPorts},
			(_, each) => portOf(memory, each).addresses as never as Float64Array,
		);
		this.#own = this.#tables[port] as Float64Array;
	}

	/** This port is the one that a frame's sender is at. */
	learn(view: DataView): void {
		if (isGroup(view, 6)) return;
		const address = addressAt(view, 6);
		if (this.#own.includes(address)) return;
		for (const table of this.#tables) {
			if (table === this.#own) continue;
			const place = table.indexOf(address);
			if (place >= 0) table[place] = 0;
		}
		this.#own[this.#next] = address;
		this.#next = (this.#next + 1) % addressesPerPort;
	}

	/** The port that a frame is for; undefined where it is for all, or for somebody who has sent nothing. */
	find(view: DataView): number | undefined {
		if (isGroup(view, 0)) return undefined;
		const address = addressAt(view, 0);
		if (address === 0) return undefined;
		if (this.#tables[this.#lastPort]?.[this.#lastPlace] === address) return this.#lastPort;
		for (let port = 0; port < mostPorts; port++) {
			const place = (this.#tables[port] as Float64Array).indexOf(address);
			if (place < 0) continue;
			[this.#lastPort, this.#lastPlace] = [port, place];
			return port;
		}
		return undefined;
	}

	/** Nobody is at this port. */
	forget(): void {
		this.#own.fill(0);
		this.#next = 0;
	}
}
