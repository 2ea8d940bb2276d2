import type {EndpointReport} from '#devices/network/endpoint';
import {f64, u32, wire} from '#support/wire';

/** What a socket tells the machine's owner. */
export const SocketCounters = wire('network-socket', {
	/** 1 while somebody is at the other end. */
	connected: u32,
	/** Errno of the last attempt to reach somebody. */
	errno: u32,
	/** Frames of the guest's that nobody was there for, or no longer than for a part. */
	lost: f64,
	/** What came is no frame, and its sender was let go of. */
	wrong: f64,
});

/** The same for inspect. */
export const socketReport = (memory: SharedArrayBuffer, offset: number): EndpointReport => {
	const counters = SocketCounters.on(memory, offset);
	return {
		nodes: () => ({
			connected: counters.connected !== 0,
			errno: counters.errno,
			lost: counters.lost,
			wrong: counters.wrong,
		}),
	};
};
