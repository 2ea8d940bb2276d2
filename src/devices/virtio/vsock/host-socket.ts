import {close, endDirection, read, transient, write} from '#support/ffi';
import type {Reactor, Watch} from '#support/reactor';

/** A connected stream socket of the host's, each of whose directions ends by itself. */
export class HostSocket {
	readonly #fd: number;
	readonly #reactor: Reactor;
	#watch: Watch | undefined;
	#isClosed = false;
	/** Both directions have ended: epoll(7) would tell it again and again. */
	#hasHungUp = false;
	/** There may be something to read: nobody has looked since a watch said so. */
	isReadable = false;
	/** The other side sends no more, and all of it has been read. */
	hasEnded = false;
	/** The other side takes nothing any more. */
	isGone = false;
	/** Called when one of these three has changed, or what waited can be written. */
	ready: () => void = () => {};

	/** @param fd - non-blocking, and this object's from now on */
	constructor(fd: number, reactor: Reactor) {
		this.#fd = fd;
		this.#reactor = reactor;
	}

	/** Fills `target`; 0 where there is nothing now, or no more. */
	read(target: Uint8Array): number {
		if (this.hasEnded || this.#isClosed || target.length === 0) return 0;
		const count = read(this.#fd, target);
		if (count > 0) return count;
		this.isReadable = false;
		if (count === 0 || !transient.has(-count)) this.hasEnded = true;
		if (count < 0 && !transient.has(-count)) this.isGone = true;
		return 0;
	}

	/** Passes bytes on; returns how many the host has taken. */
	write(source: Uint8Array): number {
		if (this.isGone || this.#isClosed) return 0;
		const count = write(this.#fd, source);
		if (count >= 0) return count;
		// It may still send, and what it has sent is to be read in any case.
		if (!transient.has(-count)) this.isGone = this.isReadable = true;
		return 0;
	}

	/** Tells the other side that nothing follows, or that nothing is read any more. */
	end(direction: 'read' | 'write'): void {
		if (!this.#isClosed) endDirection(this.#fd, direction);
		if (direction === 'read') this.hasEnded = true;
	}

	/** Asks for calls. That the other side has hung up is told without being asked for. */
	interest(readable: boolean, writable: boolean): void {
		if (this.#isClosed || this.#hasHungUp) this.rest();
		else if (this.#watch === undefined) this.#watch = this.#reactor.watch(this.#fd, {readable, writable}, this.#looked);
		else this.#watch.interest(readable, writable);
	}

	/** Asks for no calls at all. */
	rest(): void {
		this.#watch?.close();
		this.#watch = undefined;
	}

	close(): void {
		if (this.#isClosed) return;
		this.rest();
		this.#isClosed = true;
		this.hasEnded = this.isGone = true;
		close(this.#fd);
	}

	readonly #looked = ({readable, failed}: {readonly readable: boolean; readonly failed: boolean}): void => {
		// What it has sent before it hung up is still there.
		if (readable || failed) this.isReadable = true;
		if (failed) this.#hasHungUp = this.isGone = true;
		this.ready();
	};
}
