import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';

/** Failures to set up the host's side. `errno` is negated, as the FFI returns it. */
export const vsockError = errorTable({
	VIRTIO_VSOCK_LISTEN_FAILED: ({path, errno}: {path: string; errno: number}) => ({
		message: `The virtio socket device cannot listen on ${path}: ${errnoName(errno)}`,
		remedy: 'Name a free path in an existing directory that you may write to',
	}),
	VIRTIO_VSOCK_PATH_TOO_LONG: ({path, length, limit}: {path: string; length: number; limit: number}) => ({
		message: `The path ${path} of a virtio socket device has ${length} bytes, the limit is ${limit}`,
		remedy: 'Name a shorter path: those of ports have up to 11 bytes more',
	}),
});
