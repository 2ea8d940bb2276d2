import type {AccessSize, DoorbellDeclaration} from '#devices/device';
import type {BusTarget} from '#devices/io-bus';

/** A doorbell with the word that its value goes to. */
interface Bell extends Pick<DoorbellDeclaration, 'size' | 'match' | 'queue'> {
	readonly word: Int32Array | undefined;
}

/** State of a device, by the names of its fields. */
type State = Readonly<Record<string, unknown>>;

/** The way to a device whose doorbells ring here: such writes reach neither its front nor its lock. */
export class DoorbellTarget implements BusTarget {
	readonly #device: BusTarget;
	/** By region, then by offset: those that differ in the value they match. */
	readonly #bells: Map<number, Bell[]>[] = [];
	readonly #ring: (queue: number) => void;

	constructor(
		device: BusTarget,
		doorbells: readonly DoorbellDeclaration[],
		state: State,
		ring: (queue: number) => void,
	) {
		this.#device = device;
		this.#ring = ring;
		for (const {region, offset, size, match, queue, stores} of doorbells) {
			const ofRegion = this.#bells[region] ?? new Map<number, Bell[]>();
			this.#bells[region] = ofRegion;
			const others = ofRegion.get(offset) ?? [];
			ofRegion.set(offset, [
				...others,
				{size, ...(match !== undefined && {match}), queue, word: wordOf(state, stores)},
			]);
		}
	}

	read(region: number, offset: number, size: AccessSize): number {
		return this.#device.read(region, offset, size);
	}

	write(region: number, offset: number, size: AccessSize, value: number): void {
		const bell = this.#find(region, offset, size, value);
		if (bell === undefined) {
			this.#device.write(region, offset, size, value);
			return;
		}
		if (bell.word !== undefined) Atomics.store(bell.word, 0, value | 0);
		this.#ring(bell.queue);
	}

	#find(region: number, offset: number, size: AccessSize, value: number): Bell | undefined {
		const here = this.#bells[region]?.get(offset);
		if (here === undefined) return undefined;
		for (const bell of here) {
			const fits = bell.size === 'any' || bell.size === size;
			if (fits && (bell.match === undefined || bell.match === value)) return bell;
		}
		return undefined;
	}
}

/** One word of an array that `checkDoorbells` has seen to be there. */
function wordOf(state: State, stores: DoorbellDeclaration['stores']): Int32Array | undefined {
	if (stores === undefined) return undefined;
	const {buffer, byteOffset} = state[stores.field] as Int32Array | Uint32Array;
	return new Int32Array(buffer, byteOffset + stores.index * Int32Array.BYTES_PER_ELEMENT, 1);
}
