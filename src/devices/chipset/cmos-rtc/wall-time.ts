import {cell} from '#support/wire';

/** A wall-clock time, which may be before 1970. */
export class WallTime {
	/** Milliseconds since 1970. */
	readonly ms = cell();
	/** The full second since 1970. */
	readonly second = cell();
	/** Milliseconds since the last full second, 0 to below 1000. */
	readonly fractionMs = cell();

	/** Makes second and fraction follow {@link ms}. The two are never at odds, as a rounded quotient could be. */
	split(): void {
		this.fractionMs[0] = ((this.ms[0] % 1000) + 1000) % 1000;
		this.second[0] = (this.ms[0] - this.fractionMs[0]) / 1000;
	}
}
