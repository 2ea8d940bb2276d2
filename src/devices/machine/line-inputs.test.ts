import test from 'ava';
import type {AnyDeviceModel, LineInput} from '#devices/device';
import {oneThreadMachine} from '#devices/testing';
import {u8, wire} from '#support/wire';
import {lineInputs} from './index.ts';

const model: AnyDeviceModel = {
	kind: 'wired',
	state: wire('wired', {value: u8}),
	regions: () => [],
	lines: (lines: Readonly<Record<string, LineInput>>) => lines,
	front: () => ({read: () => 0, write: () => {}}),
};
const device = (name: string, config: Readonly<Record<string, LineInput>>) => ({name, kind: 'wired', config});
type Devices = readonly ReturnType<typeof device>[];

const inputsOf = (devices: Devices) => Object.fromEntries(lineInputs(devices.map((instance) => ({instance, model}))));

test('lines that share are spread over the inputs that no device of a PC has; one alone has an input that nobody else has', (t) => {
	const devices = [
		device('a', {first: 'shared', second: 'shared'}),
		device('b', {only: 'own'}),
		device('c', {fixed: 5, again: 'own'}),
		device('d', {fixed: 21}),
		...['e', 'f', 'g'].map((name) => device(name, {line: 'shared'})),
	];
	const inputs = {
		a: {first: 20, second: 22},
		b: {only: 6},
		c: {fixed: 5, again: 7},
		d: {fixed: 21},
		e: {line: 23},
		f: {line: 20},
		g: {line: 21},
	};
	t.deepEqual(inputsOf(devices), inputs);
	t.deepEqual(inputsOf(devices.toReversed()), inputs, 'in whatever order they are listed');
	const {layout} = oneThreadMachine(devices, {findModel: () => model});
	t.deepEqual(
		layout.devices.map(({lines}) => Object.values(lines).map(({gsi}) => gsi)),
		Object.values(inputs).map((each) => Object.values(each)),
	);
});

test('an input of its own is refused where none is left, to a line that shares as well, and a number that is no input', (t) => {
	const lines = (count: number, of: LineInput) =>
		device('many', Object.fromEntries(Array.from({length: count}, (_, index) => [`${index}`, of])));
	t.is(new Set(Object.values(inputsOf([lines(11, 'own')])['many'] ?? {})).size, 11);
	const without = {code: 'DEVICE_LINE_WITHOUT_INPUT'};
	t.throws(() => inputsOf([lines(12, 'own')]), {...without, message: /line 11 of device many/});
	t.throws(() => inputsOf([lines(11, 'own'), device('z', {done: 'shared'})]), {
		...without,
		message: /done of device z/,
	});
	t.notThrows(() =>
		inputsOf([lines(10, 'own'), lines(40, 'shared')].map((each, index) => ({...each, name: `${index}`}))),
	);
	for (const gsi of [-1, 44, Number.NaN]) t.throws(() => inputsOf([lines(1, gsi)]), {code: 'DEVICE_LINE_OUT_OF_RANGE'});
});
