import {type AttachedDevice, type AttachedMachine, type PlacedCalls, queueSlot} from '#devices/machine';
import {type Children, dataNode, hex, type InspectNode, leaf, nodeName, object} from '#support/inspect';
import type {Field, Fields} from '#support/shared-memory';

/** `vm/devices`: decoded from shared memory, without the devices' help. */
export const deviceNodes = (machine: AttachedMachine): Children =>
	Object.fromEntries(
		machine.devices.map((device) => [nodeName(device.placed.name), object(() => deviceChildren(device, machine))]),
	);

function deviceChildren(device: AttachedDevice, machine: AttachedMachine): Children {
	const {placed, model, state, header} = device;
	const {kind, route, config, lines, calls} = placed;
	return {
		kind,
		route,
		accesses: header.accesses,
		// Seldom true: a lock that stays held is one whose holder hangs.
		locked: header.lock !== 0,
		// Calls of a front for its back, of which several at once count as one.
		calls: calls && machine.calls.ready.signals(calls.slot),
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
		state: object(() => stateNodes(model.state.fields, state)),
	};
}

/** By queue: how often its doorbells have rung, several times at once counting as one, and whether a vCPU's thread does it. */
const queueNodes = (
	{doorbells}: AttachedDevice,
	calls: PlacedCalls,
	{calls: {ready, doorbells: table}}: AttachedMachine,
) =>
	Object.fromEntries(
		Array.from({length: calls.queues}, (_, queue) => {
			const isPassed = (_declared: unknown, index: number) =>
				doorbells[index]?.queue === queue && table.isAssigned(calls.doorbell + index);
			const node = object(() => ({
				rings: ready.signals(queueSlot(calls, queue)),
				rungBy: doorbells.some(isPassed) ? 'back end' : 'bus',
			}));
			return [queue, node];
		}),
	);

const stateNodes = (fields: Fields, state: Record<string, number | Uint8Array | Int32Array>): Children =>
	Object.fromEntries(
		Object.entries(fields).map(([name, field]) => [name, fieldNode(field, state[name] as number | Uint8Array)]),
	);

/** Longer arrays are data that passes through a device, not what it is doing: their size is shown. */
const longestShown = 64;

function fieldNode(field: Field, value: number | Uint8Array | Int32Array): InspectNode {
	const marks = {sensitive: field.sensitive === true};
	if (typeof value !== 'number') {
		if (value.length > longestShown) return leaf(() => value.byteLength, {unit: 'bytes', ...marks});
		return leaf(() => Array.from(value, hexDigits(value.BYTES_PER_ELEMENT)).join(' '), marks);
	}
	// Unsigned fields are registers; signed ones and doubles count.
	const isRegister = field.type === 'u8' || field.type === 'u16' || field.type === 'u32';
	if (!isRegister) return leaf(() => value, marks);
	return marks.sensitive ? leaf(() => value, {format: 'hex', ...marks}) : hex(value);
}

const hexDigits = (bytes: number) => (value: number) => (value >>> 0).toString(16).padStart(2 * bytes, '0');
