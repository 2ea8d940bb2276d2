import test from 'ava';
import type {AnyDeviceModel} from '#devices/device';
import {oneThreadMachine} from '#devices/testing';
import {u8, wire} from '#support/wire';

interface Wires {
	readonly lines: Readonly<Record<string, number>>;
	readonly inputs: Readonly<Record<string, number>>;
}

const model: AnyDeviceModel = {
	kind: 'wired',
	state: wire('wired', {value: u8}),
	regions: () => [],
	lines: ({lines}: Wires) => lines,
	inputs: ({inputs}: Wires) => inputs,
	front: () => ({read: () => 0, write: () => {}}),
};

/** Lays out devices whose lines lead to the inputs of others: `a>b` is a line of a that leads to b. */
function layOut(...wires: readonly string[]) {
	const names = [...new Set(wires.flatMap((wire) => wire.split('>')))];
	const devices = names.map((name, index) => {
		const lines = wires.filter((wire) => wire.startsWith(`${name}>`)).map((wire) => wire.split('>')[1] as string);
		const config: Wires = {
			lines: Object.fromEntries(lines.map((to) => [to, 25 + names.indexOf(to)])),
			inputs: {in: 25 + index},
		};
		return {name, kind: 'wired', config} as const;
	});
	return oneThreadMachine(devices, {findModel: () => model}).layout;
}

test('devices whose lines lead to each other are refused, with the way round', (t) => {
	const cycles = {
		'a → b → a': ['a>b', 'b>a'],
		'a → a': ['a>a'],
		'b → c → d → b': ['a>b', 'b>c', 'c>d', 'd>b'],
	};
	for (const [path, wires] of Object.entries(cycles)) {
		t.throws(() => layOut(...wires), {code: 'DEVICE_LINES_CYCLE', message: new RegExp(`${path}$`)});
	}
});

test('lines that come together are no cycle', (t) => {
	t.is(layOut('a>b', 'a>c', 'b>d', 'c>d').devices.length, 4);
});
