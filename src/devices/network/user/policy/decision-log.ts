import type {Decision} from './verdict.ts';

/** Decisions that are kept to be looked at. */
const mostKept = 256;

/** A decision, and how often it was made in a row. */
export interface Logged extends Decision {
	readonly count: number;
}

/** What a network has decided: all of it counted, the last of it kept, each told. */
export class DecisionLog {
	readonly #tell: ((decision: Decision) => void) | undefined;
	readonly #kept: {decision: Decision; count: number}[] = [];
	/** Since the network was made. */
	readonly counts: Record<Decision['kind'], number> = {allow: 0, refuse: 0, redirect: 0, answer: 0};

	constructor(tell?: (decision: Decision) => void) {
		this.#tell = tell;
	}

	add(decision: Decision): void {
		this.counts[decision.kind]++;
		const last = this.#kept.at(-1);
		if (last !== undefined && isSame(last.decision, decision)) last.count++;
		else this.#kept.push({decision, count: 1});
		if (this.#kept.length > mostKept) this.#kept.shift();
		this.#tell?.(decision);
	}

	/** The last of them, the oldest first. */
	get last(): readonly Logged[] {
		return this.#kept.map(({decision, count}) => ({...decision, count}));
	}
}

const isSame = (one: Decision, other: Decision): boolean =>
	(['guest', 'protocol', 'name', 'address', 'port', 'kind', 'detail'] as const).every((key) => one[key] === other[key]);
