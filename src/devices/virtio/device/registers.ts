/** Device status (virtio 1.2, 2.1). */
export const Status = {
	ACKNOWLEDGE: 1,
	DRIVER: 2,
	DRIVER_OK: 4,
	FEATURES_OK: 8,
	NEEDS_RESET: 64,
	FAILED: 128,
} as const;

/** Bits that each bit which the driver sets needs to be set already (3.1.1). The device alone sets NEEDS_RESET. */
export const statusNeeds: readonly (readonly [bit: number, needs: number])[] = [
	[Status.ACKNOWLEDGE, 0],
	[Status.DRIVER, Status.ACKNOWLEDGE],
	[Status.FEATURES_OK, Status.DRIVER],
	[Status.DRIVER_OK, Status.FEATURES_OK],
	[Status.FAILED, 0],
];

/** Features that are the platform's, by their numbers (virtio 1.2, 6). */
export const Feature = {
	INDIRECT_DESC: 28,
	EVENT_IDX: 29,
	VERSION_1: 32,
	RING_PACKED: 34,
	IN_ORDER: 35,
	NOTIFICATION_DATA: 38,
	RING_RESET: 40,
} as const;

/** Features of the platform's by whether a device offers them. */
export type PlatformOffer = Readonly<Partial<Record<keyof typeof Feature, boolean>>>;

/** Devices offer all, but for an order in which a request waits for each before it. */
export const usualOffer: PlatformOffer = {IN_ORDER: false};

/** Features are numbered up to here; the ranges of devices' own are 0–23 and 50–63 (2.2). */
export const featureBits = 64;
export const isDeviceFeature = (bit: number): boolean =>
	Number.isInteger(bit) && ((bit >= 0 && bit <= 23) || (bit >= 50 && bit < featureBits));

/** Reasons for an interrupt: ISR status (4.1.4.5), InterruptStatus (4.2.2). */
export const Interrupt = {QUEUE: 1, CONFIG: 2} as const;

/** Vector registers: no vector (4.1.5.1.2). */
export const noVector = 0xffff;
