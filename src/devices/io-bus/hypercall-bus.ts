import type {Hypercall} from '#devices/device';
import type {Intercept} from '#devices/processor';
import {ClaimMap} from './claim-map.ts';
import type {Claim} from './claims.ts';
import type {UnclaimedCounters} from './unclaimed.ts';

/** Hyper-V's result code for a call that nobody answers (TLFS, "Hypercall Status Codes"). */
const invalidHypercallCode = 2;

/** Serves the hypercalls of one device, and the intercepts of its trust levels. */
export interface HypercallTarget {
	hypercall(region: number, offset: number, call: Hypercall): void;
	intercept(region: number, offset: number, intercept: Intercept): void;
}

/** One thread's way from a hypercall that the back end does not serve itself to the device that claims its code, and from an intercept. */
export class HypercallBus {
	readonly #claims: ClaimMap;
	readonly #guards: ClaimMap;
	readonly #targets: readonly HypercallTarget[];
	readonly #unclaimed: UnclaimedCounters;

	/**
	 * @param claims - checked claims of the whole machine
	 * @param targets - by device index
	 */
	constructor(claims: readonly Claim[], targets: readonly HypercallTarget[], unclaimed: UnclaimedCounters) {
		this.#claims = new ClaimMap(claims, 'hypercall');
		this.#guards = new ClaimMap(claims, 'intercept');
		this.#targets = targets;
		this.#unclaimed = unclaimed;
	}

	/** Serves a call; its result says how it went. */
	call(call: Hypercall): void {
		const code = call.control.low & 0xffff;
		const claim = this.#claims.find(code);
		call.result.low = claim === undefined ? invalidHypercallCode : 0;
		call.result.high = 0;
		if (claim === undefined) this.#unclaimed.hypercall(code);
		else (this.#targets[claim.device] as HypercallTarget).hypercall(claim.region, code - claim.base, call);
	}

	/** Tells the device that answers for the guarding level. @returns false where there is none: the processor cannot go on */
	intercept(intercept: Intercept): boolean {
		const {guard} = intercept;
		const claim = this.#guards.find(guard);
		if (claim === undefined) return false;
		(this.#targets[claim.device] as HypercallTarget).intercept(claim.region, guard - claim.base, intercept);
		return true;
	}
}
