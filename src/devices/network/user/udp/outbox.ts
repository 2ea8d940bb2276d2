import {cutDatagrams, sendDatagrams, transient} from '#support/ffi';

/** What the kernel is given at once: so many datagrams, of 64 that it takes (udp(7), UDP_SEGMENT), so that who gets them begins meanwhile; and bytes as one datagram of IPv4 has. */
const [mostCut, mostBytes] = [16, 65_507];
/** Bytes of one datagram, of IPv6, whose length does not count the header before it (RFC 8200, 3). */
const longest = 65_527;

/** Where datagrams go out, and what the kernel was told to cut. */
export interface Outlet {
	readonly fd: number;
	/** 0 where it cuts nothing. */
	cutBytes: number;
	/** The host's network does not cut datagrams, or these do not fit it. */
	cutsNone: boolean;
}

/**
 * Datagrams on their way out. Those that follow each other, are as long and go to the same end are the kernel's with one call, which costs little more
 * than one of them.
 */
export class Outbox {
	readonly #bytes = new Uint8Array(new ArrayBuffer(longest));
	readonly #lost: (datagrams: number) => void;
	#outlet: Outlet | undefined;
	#address: Uint8Array | undefined;
	#size = 0;
	#count = 0;
	#length = 0;

	/** @param lost - told of datagrams that the kernel had no room for */
	constructor(lost: (datagrams: number) => void) {
		this.#lost = lost;
	}

	/** Takes a datagram, which is copied. @param address - the same object for the same end */
	add(outlet: Outlet, address: Uint8Array, payload: Uint8Array): void {
		const isAlike = this.#outlet === outlet && this.#address === address && !outlet.cutsNone;
		// One that is shorter is the last.
		const isMore = isAlike && this.#length === this.#count * this.#size && payload.length <= this.#size;
		if (!isMore || this.#count === mostCut || this.#length + payload.length > mostBytes || payload.length === 0)
			this.flush();
		if (this.#count === 0) {
			this.#outlet = outlet;
			this.#address = address;
			this.#size = payload.length;
		}
		this.#bytes.set(payload, this.#length);
		this.#length += payload.length;
		this.#count++;
	}

	/** Sends what was taken. */
	flush(): void {
		const [outlet, address, count] = [this.#outlet, this.#address, this.#count];
		if (outlet === undefined || address === undefined) return;
		const bytes = this.#bytes.subarray(0, this.#length);
		this.#outlet = this.#address = undefined;
		this.#count = this.#length = 0;
		// What is not longer than what is cut stays as it is.
		const isWhole = count === 1 && (outlet.cutBytes === 0 || bytes.length <= outlet.cutBytes);
		if (!isWhole && !outlet.cutsNone && outlet.cutBytes !== this.#size) this.#cut(outlet, count > 1 ? this.#size : 0);
		if (count > 1 && outlet.cutsNone) this.#sendEach(outlet, address, bytes, this.#size);
		else this.#send(outlet, address, bytes, count);
	}

	#send(outlet: Outlet, address: Uint8Array, bytes: Uint8Array, count: number): void {
		let sent = sendDatagrams(outlet.fd, bytes, address);
		// What became of one that went before, to whichever end, is told to who sends next (ip(7), IP_RECVERR).
		if (sent < 0 && !transient.has(-sent)) sent = sendDatagrams(outlet.fd, bytes, address);
		if (sent >= 0) return;
		// A link that is narrower than these, or that does no checksums, says so (EINVAL, EMSGSIZE, EIO).
		if (count > 1 && !transient.has(-sent)) {
			this.#cut(outlet, 0);
			outlet.cutsNone = true;
			this.#sendEach(outlet, address, bytes, this.#size);
		} else this.#lost(count);
	}

	#sendEach(outlet: Outlet, address: Uint8Array, bytes: Uint8Array, size: number): void {
		for (let at = 0; at < bytes.length; at += size) this.#send(outlet, address, bytes.subarray(at, at + size), 1);
	}

	#cut(outlet: Outlet, bytes: number): void {
		if (cutDatagrams(outlet.fd, bytes) < 0) outlet.cutsNone = true;
		else outlet.cutBytes = bytes;
	}
}
