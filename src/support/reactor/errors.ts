import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';

/** `errno` is negated, as the FFI returns it. */
export const reactorError = errorTable({
	DESCRIPTOR_UNWATCHABLE: ({fd, errno}: {fd: number; errno: number}) => ({
		message: `Descriptor ${fd} cannot be waited for: ${errnoName(errno)}`,
		remedy: 'A regular file is always ready (EPERM): read and write it by the callbacks of node:fs',
	}),
});
