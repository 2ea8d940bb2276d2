import type {Halves} from '#devices/device';
import {ClaimMap} from './claim-map.ts';
import type {Claim} from './claims.ts';
import type {UnclaimedCounters} from './unclaimed.ts';

/** Serves the model-specific registers of one device. False: the instruction faults. */
export interface MsrTarget {
	readMsr(region: number, offset: number, value: Halves): boolean;
	writeMsr(region: number, offset: number, value: Halves): boolean;
}

/** Answers for registers that no device claims, before they fault and count as nobody's. */
export interface MsrFallback {
	read(msr: number, value: Halves): boolean;
	write(msr: number, value: Halves): boolean;
}

/** One thread's way from a model-specific register that the back end does not serve itself to the device that claims it. */
export class MsrBus {
	readonly #claims: ClaimMap;
	readonly #targets: readonly MsrTarget[];
	readonly #unclaimed: UnclaimedCounters;
	readonly #fallback: MsrFallback;

	/**
	 * @param claims - checked claims of the whole machine
	 * @param targets - by device index
	 */
	constructor(
		claims: readonly Claim[],
		targets: readonly MsrTarget[],
		unclaimed: UnclaimedCounters,
		fallback: MsrFallback,
	) {
		this.#claims = new ClaimMap(claims, 'msr');
		this.#targets = targets;
		this.#unclaimed = unclaimed;
		this.#fallback = fallback;
	}

	/** RDMSR: puts the value in place. False: a general protection fault. */
	read(msr: number, value: Halves): boolean {
		const claim = this.#claims.find(msr);
		if (claim !== undefined) return this.#target(claim).readMsr(claim.region, msr - claim.base, value);
		return this.#fallback.read(msr, value) || this.#fault(msr);
	}

	/** WRMSR. False: a general protection fault. */
	write(msr: number, value: Halves): boolean {
		const claim = this.#claims.find(msr);
		if (claim !== undefined) return this.#target(claim).writeMsr(claim.region, msr - claim.base, value);
		return this.#fallback.write(msr, value) || this.#fault(msr);
	}

	#target({device}: Claim): MsrTarget {
		return this.#targets[device] as MsrTarget;
	}

	#fault(msr: number): false {
		this.#unclaimed.msr(msr);
		return false;
	}
}
