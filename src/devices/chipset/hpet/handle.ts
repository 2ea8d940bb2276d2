/** Names this device in machine descriptions. */
export const hpetKind = 'hpet';

/** Where a PC has its registers, the first of the places that Intel's chipsets offer. */
export const hpetAddress = 0xfed0_0000;

/** The high precision event timer of a PC. */
export interface HpetConfig {
	/** Guest-physical address of the registers; see {@link hpetAddress}. */
	readonly base: number;
}
