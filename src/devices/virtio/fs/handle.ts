/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtioFsKind = 'virtio-fs';

/** Type of the device (virtio 1.2, 5). */
export const virtioFsId = 26;

/** A folder that the guest mounts by its tag. @typeParam S - where the folder is from */
export interface VirtioFsConfig<S> {
	/** 1 to 36 bytes. */
	readonly tag: string;
	readonly folder: S;
	/** Bytes of memory where the driver has files mapped without a copy, on PCI: a multiple of 2 MiB up to 4 GiB, or 0. */
	readonly windowBytes: number;
}
