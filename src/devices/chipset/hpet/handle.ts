/** Names this device in machine descriptions. */
export const hpetKind = 'hpet';

/** The high precision event timer of a PC. */
export interface HpetConfig {
	/** Guest-physical address of the registers; 0xfed00000 on a PC. */
	readonly base: number;
}
