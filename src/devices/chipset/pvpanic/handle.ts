/** Names this device in machine descriptions. */
export const pvpanicKind = 'pvpanic';

/** The port by convention, which old guests assume. */
export const pvpanicPort = 0x505;

/** The port through which a guest reports its panic. */
export interface PvpanicConfig {
	/** The port; see {@link pvpanicPort}. */
	readonly port: number;
}
