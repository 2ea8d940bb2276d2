import {open} from 'node:fs/promises';
import {errorTable} from '#support/errors';
import {errnoOf} from '#support/ffi';
import {keyBytes} from './xts.ts';

const making = `Make one with (umask 077; head -c ${keyBytes} /dev/urandom >FILE)`;

const keyError = errorTable({
	DISK_KEY_UNREADABLE: (c: {path: string; errno: string}) => ({
		message: `The key file ${c.path} cannot be read: ${c.errno}`,
		remedy: 'Check the path and its permissions',
	}),
	DISK_KEY_LENGTH: (c: {path: string}) => ({
		message: `The key file ${c.path} has not ${keyBytes} bytes`,
		remedy: `${making}; it is the key itself, and no passphrase`,
	}),
	DISK_KEY_WEAK: (c: {path: string}) => ({
		message: `Both halves of the key file ${c.path} are the same, which makes XTS weak`,
		remedy: making,
	}),
});

/**
 * Reads a key from a file that has nothing else.
 * @throws VmmError DISK_KEY_UNREADABLE, DISK_KEY_LENGTH, DISK_KEY_WEAK
 */
export async function readKey(path: string): Promise<Buffer> {
	// One more than a key has: a device that never ends has not a key either.
	const room = Buffer.alloc(keyBytes + 1);
	let length = 0;
	try {
		await using file = await open(path);
		for (let read = -1; read !== 0 && length < room.length; length += read)
			read = (await file.read(room, length, room.length - length)).bytesRead;
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw keyError('DISK_KEY_UNREADABLE', {path, errno}, {cause});
	}
	const key = room.subarray(0, keyBytes);
	if (length !== keyBytes) throw keyError('DISK_KEY_LENGTH', {path});
	if (key.subarray(0, keyBytes / 2).equals(key.subarray(keyBytes / 2))) throw keyError('DISK_KEY_WEAK', {path});
	return key;
}
