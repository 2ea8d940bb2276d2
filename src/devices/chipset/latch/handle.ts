/** Names this device in machine descriptions. */
export const latchKind = 'latch';

/** A register for tests and benchmarks. */
export interface LatchConfig {
	/** First of its four ports. */
	readonly port: number;
}
