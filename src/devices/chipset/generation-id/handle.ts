import type {DeviceCommand} from '#devices/device';

/** Names this device in machine descriptions. */
export const generationIdKind = 'generation-id';

/** The general-purpose event that tells the guest of a change: as in Hyper-V's firmware, which OpenVMM follows. */
export const generationIdEvent = 0;

/** The id by which a guest notices that it was restored or cloned. */
export interface GenerationIdConfig {
	/** Where the guest finds the id: guest-physical, a multiple of 8, in reserved RAM. */
	readonly address: number;
	/** The machine's first id: 16 bytes in hexadecimal. It survives a reset, as the specification wants it. */
	readonly id: string;
}

/** Gives the guest a new id: 16 bytes in hexadecimal. To be sent when the machine's past is no longer the guest's. */
export interface ChangeGeneration extends DeviceCommand {
	readonly kind: 'change-generation';
	readonly id: string;
}
