import type {AnyDeviceType} from '#devices/device-type';
import {
	type AttachedDevice,
	type AttachedMachine,
	backWords,
	type PlacedCalls,
	queueSlot,
	workerOf,
} from '#devices/machine';
import {type Children, dataChildren, dataNode, nodeName, object} from '#support/inspect';
import {viewOf} from '#support/wire';
import type {InspectedDevices} from './inspected-machine.ts';
import {stateNodes} from './state-nodes.ts';

/** `vm/devices`: decoded from shared memory, without the devices' help, but for those that their thread owns. */
export const deviceNodes = (machine: AttachedMachine, thread: Pick<InspectedDevices, 'inspect'>): Children =>
	Object.fromEntries(
		machine.devices.map((device) => [
			nodeName(device.placed.name),
			object(() => deviceChildren(device, machine, thread)),
		]),
	);

function deviceChildren(
	device: AttachedDevice,
	machine: AttachedMachine,
	thread: Pick<InspectedDevices, 'inspect'>,
): Children {
	const {placed, model, state, header, faults} = device;
	const failed = faults.message;
	const {name, kind, config, lines, calls} = placed;
	// A machine's models are the device types; those of tests may lack the rest.
	const {summary, words, report}: Partial<AnyDeviceType> = model;
	const {hostMemory} = placed;
	return {
		kind,
		summary,
		accesses: header.accesses,
		// Seldom true: a lock that stays held is one whose holder hangs.
		locked: header.lock !== 0,
		// Those of several workers one after another.
		...(calls !== undefined && {back: backWords(header, calls.workers).join(', ')}),
		...(failed !== undefined && {failed}),
		// Calls of a front for its back, of which several at once count as one.
		calls: calls && machine.calls.readyOf(0).signals(calls.slot),
		...(calls !== undefined && calls.queues > 0 && {queues: object(() => queueNodes(device, calls, machine))}),
		config: dataNode(config),
		lines: object(() =>
			Object.fromEntries(
				Object.entries(lines).map(([name, source]) => [
					name,
					object(() => ({input: source.gsi, raised: machine.lines.isRaised(source)})),
				]),
			),
		),
		words: words && object(() => words(state, config)),
		...(report !== undefined && hostMemory !== undefined && report(config, hostMemory).nodes()),
		state: model.state.members.length > 0 ? object(() => stateNodes(model.state, viewOf(state.$bytes), 0)) : undefined,
		// It may hold anything of the guest's, and says of nothing what that is.
		owned: model.owned && object(async () => dataChildren(await thread.inspect(name)), {sensitive: true}),
	};
}

/** By queue: how often its doorbells have rung, several times at once counting as one, which worker has it, and whether a vCPU's thread rings. */
const queueNodes = ({doorbells}: AttachedDevice, calls: PlacedCalls, {calls: machineCalls}: AttachedMachine) =>
	Object.fromEntries(
		Array.from({length: calls.queues}, (_, queue) => {
			const isPassed = (_declared: unknown, index: number) =>
				doorbells[index]?.queue === queue && machineCalls.doorbells.isAssigned(calls.doorbell + index);
			const node = object(() => ({
				rings: machineCalls.readyOf(workerOf(calls, queue)).signals(queueSlot(calls, queue)),
				worker: workerOf(calls, queue),
				rungBy: doorbells.some(isPassed) ? 'back end' : 'bus',
			}));
			return [queue, node];
		}),
	);
