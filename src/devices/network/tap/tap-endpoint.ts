import {
	type Endpoint,
	type EndpointHost,
	Frame,
	FrameDescriptor,
	leastFrameBytes,
	mostFrameBytes,
	type Nic,
	type Offloads,
} from '#devices/network/endpoint';
import {readHeader, Segments, VnetHeader, writeHeader} from '#devices/network/packet';
import {errorTable} from '#support/errors';
import {close, errnoName, openTap, read, transient, write} from '#support/ffi';
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

/**
 * Carries frames by a tap interface of the host's, with what is still to be done to them. What comes while the guest has no room waits in the
 * interface's queue, which drops what does not fit.
 */
export class TapEndpoint implements Endpoint {
	readonly takes: Offloads;
	readonly #nic: Nic;
	readonly #fd: number;
	readonly #counters: ViewOf<typeof TapCounters>;
	readonly #header = VnetHeader.on(new ArrayBuffer(VnetHeader.byteLength));
	readonly #bytes = new Uint8Array(VnetHeader.size + mostFrameBytes);
	readonly #frame = new Frame();
	readonly #segments = new Segments();
	readonly #descriptor: FrameDescriptor;

	/** @throws VmmError NETWORK_TAP_UNUSABLE */
	constructor(name: string, nic: Nic, {memory, offset, reactor}: EndpointHost) {
		const opened = openTap(name);
		if (typeof opened === 'number') throw tapError('NETWORK_TAP_UNUSABLE', {name, errno: opened});
		const {fd} = opened;
		this.#fd = fd;
		this.takes = {checksum: true, tcp4: true, tcp6: true, udp: opened.cutsUdp};
		this.#nic = nic;
		this.#counters = TapCounters.on(memory, offset);
		this.#descriptor = new FrameDescriptor({fd, nic, reactor, frame: this.#frame, read: () => this.#read()});
	}

	start(): void {
		this.#descriptor.start();
	}

	send(frame: Frame): boolean {
		writeHeader(this.#header, frame, this.#headerBytes(frame));
		// The driver's checksum is told as it is, and looked at by whoever wants to.
		if (!frame.needsChecksum) this.#header.flags = 0;
		this.#bytes.set(this.#header.$bytes);
		this.#bytes.set(frame.bytes.subarray(0, frame.length), VnetHeader.size);
		const count = write(this.#fd, this.#bytes.subarray(0, VnetHeader.size + frame.length));
		if (transient.has(-count)) {
			this.#descriptor.full();
			return false;
		}
		if (count < 0) {
			this.#counters.lost++;
			this.#counters.errno = -count;
		}
		return true;
	}

	room(): void {
		this.#descriptor.room();
	}

	stop(): void {
		this.#descriptor.stop();
	}

	dispose(): void {
		this.stop();
		close(this.#fd);
	}

	#headerBytes(frame: Frame): number {
		return frame.segmentation !== 0 && this.#segments.begin(frame) ? this.#segments.headerBytes : 0;
	}

	#read(): 'frame' | 'wrong' | 'nothing' {
		const count = read(this.#fd, this.#bytes);
		if (count < 0) {
			if (!transient.has(-count)) this.#gone(-count);
			return 'nothing';
		}
		const length = count - VnetHeader.size;
		if (length < leastFrameBytes) return 'wrong';
		this.#header.$bytes.set(this.#bytes.subarray(0, VnetHeader.size));
		this.#frame.bytes.set(this.#bytes.subarray(VnetHeader.size, VnetHeader.size + length));
		this.#frame.become(length);
		return readHeader(this.#header, this.#frame) ? 'frame' : 'wrong';
	}

	/** The host has taken the interface away: it never comes back to this descriptor. */
	#gone(errno: number): void {
		this.#counters.errno = errno;
		this.#nic.carrier(false);
		this.#descriptor.gone();
	}
}
