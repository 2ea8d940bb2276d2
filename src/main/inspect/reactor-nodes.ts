import {monotonicNs} from '#support/ffi';
import {type Children, duration, integerWriter, leaf} from '#support/inspect';
import type {ReactorStateView} from '#support/reactor';

/** A thread that is neither waiting nor getting round for this long is said to hang. */
const hangNs = 1e9;

const longestPollNs = 1e9;

/** `vm/reactor`: the device worker's wait for work, read from shared memory. */
export function reactorNodes(state: ReactorStateView): Children {
	const busyNs = state.waiting === 1 || state.turnNs === 0 ? 0 : Math.max(0, monotonicNs() - state.turnNs);
	return {
		status: state.waiting === 1 ? 'waiting' : busyNs > hangNs ? 'hangs: it does not come back to its wait' : 'working',
		busy: duration(busyNs),
		pollTime: leaf(() => state.pollNs, {
			unit: 'ns',
			writer: integerWriter(0, longestPollNs, (value) => {
				state.pollNs = value;
			}),
		}),
		turns: state.turns,
		sleeps: state.sleeps,
		polledWork: state.polledWork,
		events: state.events,
		descriptors: state.descriptors,
		timers: state.timers,
		machines: state.parts,
		lateFailures: state.lateFailures,
	};
}
