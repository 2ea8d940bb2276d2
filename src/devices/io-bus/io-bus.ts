import type {AccessSize} from '#devices/device';
import {ClaimMap} from './claim-map.ts';
import {type Claim, portCount} from './claims.ts';
import type {UnclaimedCounters} from './unclaimed.ts';

/** Serves the regions of one device: its front under its lock, or a mailbox to the thread that has it. */
export interface BusTarget {
	/** Value of `size` bytes; one of 4 may be signed, as may what a bus reads. */
	read(region: number, offset: number, size: AccessSize): number;
	write(region: number, offset: number, size: AccessSize, value: number): void;
}

/** Gets accesses to ports that no device claims, before they count as nobody's: PCI functions do, which move theirs. */
export interface PortFallback {
	/** Undefined where nobody answers. */
	readPort(port: number, size: AccessSize): number | undefined;
	/** False where nobody answers. */
	writePort(port: number, size: AccessSize, value: number): boolean;
}

/** All ones, as a bus without a responder reads. */
const allOnes = {1: 0xff, 2: 0xffff, 4: 0xffffffff} as const;

/**
 * Port lookup by number: the claim's index plus one, 0 for none and for those that yield. Made once per machine, shared by
 * its threads.
 */
export function buildPortTable(claims: readonly Claim[]): SharedArrayBuffer {
	const table = new Uint16Array(new SharedArrayBuffer(portCount * 2));
	for (const [index, claim] of claims.entries()) {
		if (claim.space === 'pio' && !claim.yields) table.fill(index + 1, claim.base, claim.base + claim.length);
	}
	return table.buffer;
}

/** One thread's way from an address to the device that claims it. */
export class IoBus {
	readonly #claims: readonly Claim[];
	readonly #targets: readonly BusTarget[];
	readonly #ports: Uint16Array;
	readonly #mmio: ClaimMap;
	readonly #unclaimed: UnclaimedCounters;
	readonly #fallback: PortFallback | undefined;
	/** Claims of ports that are asked last. */
	readonly #yielding: readonly Claim[];

	/**
	 * @param claims - checked claims of the whole machine
	 * @param targets - by device index
	 * @param portTable - from {@link buildPortTable} over the same claims
	 */
	constructor(
		claims: readonly Claim[],
		targets: readonly BusTarget[],
		portTable: SharedArrayBuffer,
		unclaimed: UnclaimedCounters,
		fallback?: PortFallback,
	) {
		this.#claims = claims;
		this.#targets = targets;
		this.#ports = new Uint16Array(portTable);
		this.#mmio = new ClaimMap(claims, 'mmio');
		this.#yielding = claims.filter(({space, yields}) => space === 'pio' && yields);
		this.#unclaimed = unclaimed;
		this.#fallback = fallback;
	}

	/** Reads a port. Unclaimed ports read all ones and are counted. */
	readPort(port: number, size: AccessSize): number {
		const index = this.#ports[port] as number;
		if (index === 0) {
			const value = this.#fallback?.readPort(port, size);
			if (value !== undefined) return value;
			const last = this.#yieldingAt(port);
			if (last !== undefined) return this.#read(last, port - last.base, size);
			this.#unclaimed.port(port);
			return allOnes[size];
		}
		const claim = this.#claims[index - 1] as Claim;
		return this.#read(claim, port - claim.base, size);
	}

	/** Writes a port. Unclaimed writes are counted. */
	writePort(port: number, size: AccessSize, value: number): void {
		const index = this.#ports[port] as number;
		if (index === 0) {
			if (this.#fallback?.writePort(port, size, value) === true) return;
			const last = this.#yieldingAt(port);
			if (last !== undefined) this.#write(last, port - last.base, size, value);
			else this.#unclaimed.port(port);
			return;
		}
		const claim = this.#claims[index - 1] as Claim;
		this.#write(claim, port - claim.base, size, value);
	}

	/** Reads guest-physical memory outside RAM. */
	readMmio(address: number, size: AccessSize): number {
		const claim = this.#mmio.find(address);
		if (claim !== undefined) return this.#read(claim, address - claim.base, size);
		this.#unclaimed.mmio(address);
		return allOnes[size];
	}

	/** Writes guest-physical memory outside RAM. */
	writeMmio(address: number, size: AccessSize, value: number): void {
		const claim = this.#mmio.find(address);
		if (claim !== undefined) this.#write(claim, address - claim.base, size, value);
		else this.#unclaimed.mmio(address);
	}

	#read(claim: Claim, offset: number, size: AccessSize): number {
		const target = this.#targets[claim.device] as BusTarget;
		if (offset + size <= claim.length) return target.read(claim.region, offset, size);
		return this.#readBytes(claim, offset, size);
	}

	#write(claim: Claim, offset: number, size: AccessSize, value: number): void {
		const target = this.#targets[claim.device] as BusTarget;
		if (offset + size <= claim.length) target.write(claim.region, offset, size, value);
		else this.#writeBytes(claim, offset, size, value);
	}

	/** An access that leaves its region is served byte by byte, each byte by whoever claims it. */
	#readBytes(claim: Claim, offset: number, size: AccessSize): number {
		let value = 0;
		for (let i = 0; i < size; i++) {
			const address = claim.base + offset + i;
			const byte = claim.space === 'pio' ? this.readPort(address & (portCount - 1), 1) : this.readMmio(address, 1);
			value += byte * 2 ** (8 * i);
		}
		return value;
	}

	#writeBytes(claim: Claim, offset: number, size: AccessSize, value: number): void {
		for (let i = 0; i < size; i++) {
			const address = claim.base + offset + i;
			const byte = (value >>> (8 * i)) & 0xff;
			if (claim.space === 'pio') this.writePort(address & (portCount - 1), 1, byte);
			else this.writeMmio(address, 1, byte);
		}
	}

	#yieldingAt(port: number): Claim | undefined {
		for (const claim of this.#yielding) if (port >= claim.base && port < claim.base + claim.length) return claim;
		return undefined;
	}
}
