import {errorTable} from '#support/errors';
import {errnoName} from '#support/ffi';

/** Failures to set up a serial port's host side. `errno` is negated, as the FFI returns it. */
export const serialError = errorTable({
	SERIAL_FILE_UNUSABLE: ({path, errno}: {path: string; errno: number}) => ({
		message: `Serial output file ${path} cannot be opened for writing: ${errnoName(errno)}`,
		remedy: 'Name a file in an existing directory that you may write to',
	}),
	SERIAL_LISTEN_FAILED: ({address, errno}: {address: string; errno: number}) => ({
		message: `Serial port cannot listen on ${address}: ${errnoName(errno)}`,
		remedy: 'Name a free address; a Unix socket needs an existing directory that you may write to',
	}),
	SERIAL_SOCKET_PATH_TOO_LONG: ({path, length, limit}: {path: string; length: number; limit: number}) => ({
		message: `Unix socket path ${path} has ${length} bytes, the limit is ${limit}`,
		remedy: 'Name a shorter path',
	}),
	SERIAL_ADDRESS_INVALID: ({host, port}: {host: string; port: number}) => ({
		message: `Serial port address ${host}:${port} is not an IP address and a port from 0 to 65535`,
		remedy: 'Write it as tcp:127.0.0.1:4555 or tcp:[::1]:4555',
	}),
	SERIAL_DESCRIPTOR_UNUSABLE: ({fd, errno}: {fd: number; errno: number}) => ({
		message: `Descriptor ${fd} cannot be used for a serial port: ${errnoName(errno)}`,
		remedy: 'Give the process an open standard output, or choose another serial back end',
	}),
});
