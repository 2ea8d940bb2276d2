/** Names the device on PCI in machine descriptions; on MMIO `-mmio` follows. */
export const virtio9pKind = 'virtio-9p';

/** Type of the device (virtio 1.2, 5). */
export const virtio9pId = 9;

/** Most bytes of a tag: Linux shows it in a page of sysfs, and no program gives a longer one. */
export const mostTagBytes = 255;
