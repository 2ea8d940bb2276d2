import type {LineInput} from '#devices/device';
import {freeInputs, gsiCount, inputCount} from '#devices/interrupts';
import {type DescribedDevice, intxInput} from '#devices/pci/fabric';
import {intxLine} from '#devices/pci/function';
import {errorTable} from '#support/errors';

const lineError = errorTable({
	DEVICE_LINE_OUT_OF_RANGE: (c: {name: string; line: string; gsi: number}) => ({
		message: `Device ${c.name} wants interrupt ${c.gsi} for its line ${c.line}, but inputs are 0-${gsiCount - 1}`,
	}),
	DEVICE_LINE_WITHOUT_INPUT: (c: {name: string; line: string}) => ({
		message: `No interrupt input is left for the line ${c.line} of device ${c.name}: those that the machine assigns are other lines' own`,
		remedy: 'Give the machine fewer devices that have inputs of their own, or others of them numbers (irq=NUMBER)',
	}),
});

/** The input of each line of a device. */
export type DeviceInputNumbers = Readonly<Record<string, number>>;

interface Line {
	readonly device: string;
	readonly name: string;
	readonly declared: LineInput;
}

/**
 * Finds an input for every line, by device and line. It follows from the devices and their names, in whatever order they are listed,
 * so that a restored guest finds its interrupts where they were.
 * @throws VmmError for a line that can have none
 */
export function lineInputs(devices: readonly DescribedDevice[]): ReadonlyMap<string, DeviceInputNumbers> {
	const instances = devices.map(({instance}) => instance);
	const lines = devices
		.flatMap(({instance, model}) =>
			Object.entries(model.lines?.(instance.config) ?? {}).map(([name, input]): Line => {
				const declared = name === intxLine && instance.place ? intxInput(instance, instances) : input;
				return {device: instance.name, name, declared};
			}),
		)
		.sort((a, b) => (a.device < b.device ? -1 : Number(a.device > b.device)));
	const found = new Map<string, Record<string, number>>(instances.map(({name}) => [name, {}]));
	const users = new Map<number, number>();
	const assign = ({device, name}: Line, gsi: number) => {
		(found.get(device) as Record<string, number>)[name] = gsi;
		users.set(gsi, (users.get(gsi) ?? 0) + 1);
	};
	const usersOf = (gsi: number) => users.get(gsi) ?? 0;
	const without = ({device, name}: Line) => lineError('DEVICE_LINE_WITHOUT_INPUT', {name: device, line: name});
	for (const line of lines) {
		const {device, name, declared} = line;
		if (typeof declared !== 'number') continue;
		if (!(declared >= 0 && declared < inputCount))
			throw lineError('DEVICE_LINE_OUT_OF_RANGE', {name: device, line: name, gsi: declared});
		assign(line, declared);
	}
	const owned = new Set<number>();
	for (const line of lines.filter(({declared}) => declared === 'own')) {
		const gsi = [...freeInputs.own, ...freeInputs.shared].find((input) => usersOf(input) === 0);
		if (gsi === undefined) throw without(line);
		owned.add(gsi);
		assign(line, gsi);
	}
	const shared = freeInputs.shared.filter((input) => !owned.has(input));
	for (const line of lines.filter(({declared}) => declared === 'shared')) {
		const [gsi] = [...shared].sort((a, b) => usersOf(a) - usersOf(b));
		if (gsi === undefined) throw without(line);
		assign(line, gsi);
	}
	return found;
}
