import {Errno} from '#support/ffi';

/** Owner of a stream, who is told of these events. */
export interface StreamOwner {
	/**
	 * A read or write that {@link ByteStream.interest} asked for may be possible. Called from the reactor, never from inside a
	 * method.
	 */
	changed(): void;
	/** The host has refused `count` bytes that {@link ByteStream.write} took; `errno` says why. */
	refused(count: number, errno: number): void;
}

/** Bytes from and to the host, whose methods never wait. */
export interface ByteStream {
	/** True once the other side has closed, or the descriptor failed. */
	readonly ended: boolean;
	/** The host has every byte that was taken. */
	readonly flushed: boolean;
	/** Passes bytes on. Returns how many were taken; 0 when there is no room now, or the stream has just ended. */
	write(source: Uint8Array): number;
	/** Fills `target` with bytes that have arrived; returns how many, 0 when there are none now. */
	read(target: Uint8Array): number;
	/** Asks for calls: bytes to read; room to write, or the last byte with the host. */
	interest(readable: boolean, writable: boolean): void;
	/** Resolves when it has been opened, where that takes its time. */
	readonly ready?: Promise<void>;
	/** What keeps {@link dispose} from its end, as a verb that the file's name follows. */
	readonly doing?: string | undefined;
	/** Closes what the stream owns. Resolves when it uses nothing any more, where that takes its time. */
	dispose(): void | Promise<void>;
}

/** Reasons of write(2) that mean that nobody reads any more, rather than that these bytes were refused. */
export const departed = new Set<number>([Errno.EPIPE, Errno.ECONNRESET, Errno.ENOTCONN, Errno.EIO, Errno.EBADF]);
