/** Bearing of a finding on running guests: fine, a limit or a missing comfort, or no guest can run. */
export type FindingLevel = 'ok' | 'warn' | 'fail';

/** One thing about the host that was looked at. */
export interface Finding {
	/** Short and stable, for scripts: `kvm`, `memory`. */
	readonly name: string;
	readonly level: FindingLevel;
	/** The finding, for a person. */
	readonly text: string;
	/** Advice on what to do, unless it is fine. */
	readonly remedy?: string;
}
