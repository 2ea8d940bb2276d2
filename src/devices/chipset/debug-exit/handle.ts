/** Names this device in machine descriptions. */
export const debugExitKind = 'debug-exit';

/** The port through which a test guest ends the process. */
export interface DebugExitConfig {
	/** First of its four ports, by convention 0xf4. */
	readonly port: number;
}
