import {stateError} from '#support/saved-state';
import type {Guest, GuestStep} from './guest-script.ts';

/** A {@link ScriptPlace} as data. */
export interface SavedPlace {
	readonly answers: readonly number[];
	readonly interceptedAt?: string;
}

/** Place in a script. */
export class ScriptPlace {
	/** Next step; undefined at its end. */
	next: GuestStep | undefined;
	/** RIP when a guard had what it does next intercepted. */
	interceptedAt: bigint | undefined;
	readonly #guest: Guest;
	/** Answers it has been told so far. */
	readonly #answers: number[] = [];

	/** @param saved - where it was; without it the script begins */
	constructor(guest: Guest, {answers, interceptedAt}: SavedPlace = {answers: []}) {
		this.#guest = guest;
		this.#take(guest.next());
		for (const answer of answers) {
			if (this.next === undefined) throw stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field: 'answers'});
			this.tell(answer);
		}
		if (interceptedAt !== undefined) this.interceptedAt = BigInt(interceptedAt);
	}

	/** Steps that it has done. */
	get steps(): number {
		return this.#answers.length;
	}

	/** The next step is done. */
	tell(answer: number): void {
		this.#answers.push(answer);
		this.#take(this.#guest.next(answer));
	}

	save(): SavedPlace {
		const {interceptedAt} = this;
		return {answers: [...this.#answers], ...(interceptedAt !== undefined && {interceptedAt: `${interceptedAt}`})};
	}

	end(): void {
		this.#guest.return();
	}

	#take(result: IteratorResult<GuestStep, void>): void {
		this.next = result.done === true ? undefined : result.value;
	}
}
