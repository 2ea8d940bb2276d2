/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioBalloonKind = 'virtio-balloon';

/** Type of the device (virtio 1.2, 5). */
export const virtioBalloonId = 5;

/** Memory that a guest gives back. */
export interface VirtioBalloonConfig {
	/** Bytes that it is asked for at power-on, of which part pages count for nothing. */
	readonly target: number;
	/** Seconds between two looks at the guest's statistics; 0 for none. */
	readonly statistics: number;
	/** The guest takes memory back by itself before it kills a program for want of it. */
	readonly deflateOnOom: boolean;
	/** The guest reports memory that it does not use, which goes back to the host without being asked for. */
	readonly reporting: boolean;
}

/** Unit of the balloon, whatever the guest's pages are (virtio 1.2, 5.5.6). */
export const balloonPage = 4096;

/** Most bytes of a target. */
export const mostTarget: number = (2 ** 32 - 1) * balloonPage;

/** Most seconds between two looks. */
export const mostSeconds = 3600;
