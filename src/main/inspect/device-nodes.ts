import {type AttachedDevice, type AttachedMachine, backPhases, type PlacedCalls, queueSlot} from '#devices/machine';
import {type Children, dataNode, type InspectNode, leaf, nodeName, object} from '#support/inspect';
import {type AnyField, isKind, type Scalar, viewOf, type Wire} from '#support/wire';

/** `vm/devices`: decoded from shared memory, without the devices' help. */
export const deviceNodes = (machine: AttachedMachine): Children =>
	Object.fromEntries(
		machine.devices.map((device) => [nodeName(device.placed.name), object(() => deviceChildren(device, machine))]),
	);

function deviceChildren(device: AttachedDevice, machine: AttachedMachine): Children {
	const {placed, model, state, header, faults} = device;
	const failed = faults.message;
	const {kind, route, config, lines, calls} = placed;
	return {
		kind,
		route,
		accesses: header.accesses,
		// Seldom true: a lock that stays held is one whose holder hangs.
		locked: header.lock !== 0,
		...(calls !== undefined && {back: header.late === 1 ? 'does not stop' : backPhases[header.back]}),
		...(failed !== undefined && {failed}),
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
		state: object(() => stateNodes(model.state, viewOf(state.$bytes), 0)),
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

const stateNodes = ({places}: Wire, source: DataView, base: number): Children =>
	Object.fromEntries(
		[...places]
			.filter(([, {field}]) => !isKind(field, 'reserved'))
			.map(([name, {field, offset}]) => [
				nodeName(name),
				fieldNode(field, source, base + offset, () => field.reader(offset, places)(source, base)),
			]),
	);

/** Longer arrays are data that passes through a device, not what it is doing: their size is shown. */
const longestShown = 64;

function fieldNode(field: AnyField, source: DataView, at: number, read: () => unknown): InspectNode | undefined {
	const marks = {sensitive: field.isSensitive};
	if (isKind(field, 'struct')) return object(() => stateNodes(field, source, at));
	if (isKind(field, 'list')) {
		const items = Array.from({length: field.length}, (_, index) => {
			const place = at + index * field.item.size;
			return fieldNode(field.item, source, place, () => field.item.reader(place, new Map())(source, 0));
		});
		return object(() => Object.fromEntries(items.entries()));
	}
	if (isKind(field, 'array')) {
		if (field.length > longestShown) return leaf(() => field.size, {unit: 'bytes', ...marks});
		const digits = hexDigits(field.item.size);
		return leaf(() => Array.from(read() as Iterable<number | bigint>, digits).join(' '), marks);
	}
	if (isKind(field, 'halves') || (isKind(field, 'scalar') && isRegister(field)))
		return leaf(() => read() as number | bigint, {format: 'hex', ...(marks.sensitive && marks)});
	if (isKind(field, 'scalar')) return leaf(() => read() as number | bigint, marks);
	return dataNode(read());
}

/** Unsigned fields are registers; signed ones and doubles count. */
const isRegister = ({range}: Scalar): boolean => range !== undefined && range[0] >= 0;

/** Negative numbers as their bits. */
const hexDigits = (bytes: number) => (value: number | bigint) =>
	BigInt.asUintN(8 * bytes, BigInt(value))
		.toString(16)
		.padStart(2 * bytes, '0');
