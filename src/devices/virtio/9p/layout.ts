import {bytes, packed, u16} from '#support/wire';
import {mostTagBytes} from './handle.ts';

/** Device configuration space: the name by which the guest mounts the folder (include/uapi/linux/virtio_9p.h). */
export const Virtio9pSpace = packed('virtio_9p_config', {length: u16, tag: bytes(mostTagBytes)}).sized(
	2 + mostTagBytes,
	'include/uapi/linux/virtio_9p.h',
);
