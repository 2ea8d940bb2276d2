import {
	type Endpoint,
	type EndpointHost,
	Frame,
	leastFrameBytes,
	mostFrameBytes,
	type Nic,
	type Offloads,
} from '#devices/network/endpoint';
import {readHeader, Segments, VnetHeader, writeHeader} from '#devices/network/packet';
import {errorTable} from '#support/errors';
import {close, errnoName, openTap, read, transient, write} from '#support/ffi';
import type {Watch} from '#support/reactor';
import {f64, u32, type ViewOf, wire} from '#support/wire';

/** What a tap interface tells the machine's owner. */
export const TapCounters = wire('network-tap', {
	/** Frames of the guest's that the host did not take, and why the last one was not, or the interface has gone. */
	lost: f64,
	errno: u32,
	padding: u32,
});

/** `errno` is negated, as the FFI returns it. */
const tapError = errorTable({
	NETWORK_TAP_UNUSABLE: ({name, errno}: {name: string; errno: number}) => ({
		message: `The tap interface ${name} cannot be had: ${errnoName(errno)}`,
		remedy: `Make it for yourself: ip tuntap add dev ${name} mode tap user $USER, and ip link set ${name} up; one machine at a time has it`,
	}),
});

/** Frames that are read in one turn of the thread. */
const framesPerTurn = 64;

/**
 * Carries frames by a tap interface of the host's, with what is still to be done to them. What comes while the guest has no room waits in the
 * interface's queue, which drops what does not fit.
 */
export class TapEndpoint implements Endpoint {
	readonly takes: Offloads;
	readonly #nic: Nic;
	readonly #host: EndpointHost;
	readonly #fd: number;
	readonly #counters: ViewOf<typeof TapCounters>;
	readonly #header = VnetHeader.on(new ArrayBuffer(VnetHeader.byteLength));
	readonly #bytes = new Uint8Array(VnetHeader.size + mostFrameBytes);
	readonly #frame = new Frame();
	readonly #segments = new Segments();
	#watch: Watch | undefined;
	#isRunning = false;
	/** The guest has no room for the frame that was read last; the interface has none for the guest's. */
	#isBlocked = false;
	#isFull = false;
	/** The host has taken the interface away. */
	#isGone = false;

	/** @throws VmmError NETWORK_TAP_UNUSABLE */
	constructor(name: string, nic: Nic, host: EndpointHost) {
		const opened = openTap(name);
		if (typeof opened === 'number') throw tapError('NETWORK_TAP_UNUSABLE', {name, errno: opened});
		this.#fd = opened.fd;
		this.takes = {checksum: true, tcp4: true, tcp6: true, udp: opened.cutsUdp};
		this.#nic = nic;
		this.#host = host;
		this.#counters = TapCounters.on(host.memory, host.offset);
	}

	start(): void {
		this.#isRunning = true;
		this.#isBlocked = false;
		this.#interest();
	}

	send(frame: Frame): boolean {
		writeHeader(this.#header, frame, this.#headerBytes(frame));
		// The driver's checksum is told as it is, and looked at by whoever wants to.
		if (!frame.needsChecksum) this.#header.flags = 0;
		this.#bytes.set(this.#header.$bytes);
		this.#bytes.set(frame.bytes.subarray(0, frame.length), VnetHeader.size);
		const count = write(this.#fd, this.#bytes.subarray(0, VnetHeader.size + frame.length));
		if (transient.has(-count)) {
			this.#isFull = true;
			this.#interest();
			return false;
		}
		if (count < 0) {
			this.#counters.lost++;
			this.#counters.errno = -count;
		}
		return true;
	}

	room(): void {
		if (!this.#isBlocked) return;
		this.#isBlocked = !this.#nic.receive(this.#frame);
		this.#interest();
	}

	stop(): void {
		this.#isRunning = false;
		this.#watch?.close();
		this.#watch = undefined;
	}

	dispose(): void {
		this.stop();
		close(this.#fd);
	}

	#headerBytes(frame: Frame): number {
		return frame.segmentation !== 0 && this.#segments.begin(frame) ? this.#segments.headerBytes : 0;
	}

	#interest(): void {
		const [readable, writable] = [!this.#isBlocked, this.#isFull];
		if (!this.#isRunning || this.#isGone || (!readable && !writable)) {
			this.#watch?.close();
			this.#watch = undefined;
		} else if (this.#watch !== undefined) this.#watch.interest(readable, writable);
		else {
			this.#watch = this.#host.reactor.watch(this.#fd, {readable, writable}, (state) => {
				if (state.writable && this.#isFull) {
					this.#isFull = false;
					this.#nic.room();
					this.#interest();
				}
				if (!this.#isBlocked) this.#receive();
			});
		}
	}

	/** An interface that was taken away is ready for ever, and never comes back to this descriptor. */
	#gone(errno: number): void {
		this.#isGone = true;
		this.#counters.errno = errno;
		this.#interest();
		this.#nic.carrier(false);
		// What waited for it is lost.
		if (this.#isFull) this.#nic.room();
		this.#isFull = false;
	}

	#receive(): void {
		for (let turn = 0; turn < framesPerTurn; turn++) {
			const count = read(this.#fd, this.#bytes);
			if (count < 0) {
				if (!transient.has(-count)) this.#gone(-count);
				return;
			}
			const length = count - VnetHeader.size;
			if (length < leastFrameBytes) continue;
			this.#header.$bytes.set(this.#bytes.subarray(0, VnetHeader.size));
			this.#frame.bytes.set(this.#bytes.subarray(VnetHeader.size, VnetHeader.size + length));
			this.#frame.become(length);
			if (!readHeader(this.#header, this.#frame) || this.#nic.receive(this.#frame)) continue;
			this.#isBlocked = true;
			this.#interest();
			return;
		}
	}
}
