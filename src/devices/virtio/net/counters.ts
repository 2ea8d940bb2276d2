import {CaptureCounters} from '#devices/network/capture';
import {NicBuckets} from '#devices/network/limit';
import {byteCount, type Children, object} from '#support/inspect';
import {f64, type ViewOf, wire} from '#support/wire';

/** What a NIC has done, in memory that the machine's owner looks at: the NIC's worker alone writes it. */
export const NetCounters = wire('network-interface', {
	sentFrames: f64,
	sentBytes: f64,
	/** The endpoint had no room, and the guest's frames waited. */
	sentWaited: f64,
	/** What the guest has sent is no frame, or is not what it says of itself. */
	sentWrong: f64,
	/** The link was down. */
	sentDropped: f64,
	/** Frames that were cut, or given a checksum, since the endpoint does not. */
	sentFinished: f64,
	receivedFrames: f64,
	receivedBytes: f64,
	/** The guest had no room. */
	receivedRefused: f64,
	/** Nobody in the guest has asked for them. */
	receivedFiltered: f64,
	/** They are no frames, or too long for the guest's buffers. */
	receivedWrong: f64,
	/** The link, or the driver, was down; or memory of the guest's had gone. */
	receivedDropped: f64,
	receivedFinished: f64,
});
export type NetCountersView = ViewOf<typeof NetCounters>;

/** Where a NIC's memory has what a capture tells, and its limits, and where its endpoint's begins. */
export const captureOffset: number = NetCounters.byteLength;
export const limitsOffset: number = captureOffset + CaptureCounters.byteLength;
export const endpointOffset: number = limitsOffset + NicBuckets.byteLength;

const parts = {
	sent: ['Frames', 'Bytes', 'Waited', 'Wrong', 'Dropped', 'Finished'],
	received: ['Frames', 'Bytes', 'Refused', 'Filtered', 'Wrong', 'Dropped', 'Finished'],
} as const;

/** Counters for inspect, by direction as the guest sees it. */
export const counterNodes = (counters: NetCountersView): Children =>
	Object.fromEntries(
		Object.entries(parts).map(([direction, names]) => [
			direction,
			object(() =>
				Object.fromEntries(
					names.map((name) => {
						const value = (counters as unknown as Readonly<Record<string, number>>)[`${direction}${name}`] as number;
						return [name.toLowerCase(), name === 'Bytes' ? byteCount(value) : value];
					}),
				),
			),
		]),
	);
