/** Names this device in machine descriptions. */
export const pvpanicKind = 'pvpanic';

/** The port through which a guest reports its panic. */
export interface PvpanicConfig {
	/** The port, by convention 0x505. */
	readonly port: number;
}
