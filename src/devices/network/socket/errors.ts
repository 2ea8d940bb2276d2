import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';

/** Failures to open a socket for frames. `errno` is negated, as the FFI returns it. */
export const socketError = errorTable({
	NETWORK_SOCKET_UNUSABLE: ({path, errno}: {path: string; errno: number}) => ({
		message: `There can be no socket for frames at ${path}: ${errnoName(errno)}`,
		remedy: 'Name a free path in an existing directory that you may write to',
	}),
});
