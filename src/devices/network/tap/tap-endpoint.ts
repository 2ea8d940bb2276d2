import type {Endpoint, EndpointHost, Frame, Nic, Offloads} from '#devices/network/endpoint';
import {errorTable} from '#support/errors';
import {errnoName, openTap, transient} from '#support/ffi';
import {f64, u32, type ViewOf, wire} from '#support/wire';
import {TapQueue} from './tap-queue.ts';

/** What a tap interface tells the machine's owner. */
export const TapCounters = wire('network-tap', {
	/** Frames of the guest's that the host did not take, and why the last one was not, or the interface has gone. */
	lost: f64,
	errno: u32,
	/** Queues of the interface that this NIC has. */
	queues: u32,
});

/** `errno` is negated, as the FFI returns it. */
const tapError = errorTable({
	NETWORK_TAP_UNUSABLE: ({name, errno}: {name: string; errno: number}) => ({
		message: `The tap interface ${name} cannot be had: ${errnoName(errno)}`,
		remedy: `Make it for yourself: ip tuntap add dev ${name} mode tap user $USER, and ip link set ${name} up; one machine at a time has it`,
	}),
});

/**
 * Carries frames by a tap interface of the host's, with what is still to be done to them: by a queue of the interface for each pair of the NIC's,
 * where it was made with several. The kernel chooses by which one a frame comes: a flow by that which its last frame was sent by. All stay attached
 * however few pairs the guest uses, since the kernel makes its caller wait when one comes or goes, and the guest could have others wait so. What
 * comes while the guest has no room waits in the interface's queue, which drops what does not fit.
 */
export class TapEndpoint implements Endpoint {
	readonly takes: Offloads;
	readonly #queues: readonly TapQueue[];
	readonly #counters: ViewOf<typeof TapCounters>;
	/** The queue that is told first when there is room: each has its turn, so that one does not take all of it. */
	#first = 0;

	/** @throws VmmError NETWORK_TAP_UNUSABLE */
	constructor(name: string, nic: Nic, {memory, offset, reactor}: EndpointHost) {
		const opened = openTap(name, nic.pairs);
		if (typeof opened === 'number') throw tapError('NETWORK_TAP_UNUSABLE', {name, errno: opened});
		const {fds, cutsUdp} = opened;
		this.takes = {checksum: true, tcp4: true, tcp6: true, udp: cutsUdp};
		const gone = (errno: number) => {
			this.#counters.errno = errno;
			nic.carrier(false);
		};
		this.#queues = fds.map((fd, index) => {
			// What comes by the only queue is for the NIC to spread.
			const pair = fds.length === 1 ? undefined : index;
			const own = {receive: (frame: Frame) => nic.receive(frame, pair), room: () => nic.room()};
			return new TapQueue({fd, nic: own, reactor, gone});
		});
		this.#counters = TapCounters.on(memory, offset);
		this.#counters.queues = this.#queues.length;
	}

	start(): void {
		for (const queue of this.#queues) queue.start();
	}

	send(frame: Frame, pair = 0): boolean {
		const queue = (this.#queues[pair] ?? this.#queues[0]) as TapQueue;
		const result = queue.send(frame);
		if (transient.has(-result)) return false;
		if (result < 0) {
			this.#counters.lost++;
			this.#counters.errno = -result;
		}
		return true;
	}

	room(): void {
		const queues = this.#queues;
		for (let count = 0; count < queues.length; count++) queues[(this.#first + count) % queues.length]?.room();
		this.#first = (this.#first + 1) % queues.length;
	}

	stop(): void {
		for (const queue of this.#queues) queue.stop();
	}

	dispose(): void {
		for (const queue of this.#queues) queue.dispose();
	}
}
