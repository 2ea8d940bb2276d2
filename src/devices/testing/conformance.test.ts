import test from 'ava';
import {powerButton} from '#devices/chipset/acpi-pm';
import {batteryAddress, defaultBattery} from '#devices/chipset/battery';
import {watchdogReset} from '#devices/chipset/guest-watchdog';
import {missingOnEveryPc} from '#devices/chipset/missing';
import {knownPowerOffPorts} from '#devices/chipset/power-off-ports';
import type {AccessSize, DeviceCommand} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {probeEndpoint, testComplex} from '#devices/pci/testing';
import {deviceModels, findDeviceModel} from '#devices/registry';
import {type SavedField, type SavedFields, type SavedStruct, saveStruct} from '#support/saved-state';
import {type AnyField, type Fields, isKind, type Wire} from '#support/wire';
import {DeviceUnderTest} from './index.ts';

type Subject = DeviceUnderTest<unknown, Fields>;

const disk = {bytes: 2 ** 20, queues: 2, id: 'disk'};

/** One configuration of every kind; a new kind without one fails the first test. */
const configurations: Readonly<Record<string, unknown>> = {
	'serial-16550': {base: 0x3f8, irq: 4, backend: {kind: 'stderr'}},
	'cmos-rtc': {baseTimeMs: Date.UTC(2026, 0, 1), lowMemory: 2 ** 30, highMemory: 0},
	'acpi-pm': {base: 0x400, sciIrq: 9},
	'pic-8259': {intrInput: 24},
	'ioapic-82093aa': {base: 0xfec0_0000},
	'pit-8254': {irq: 0},
	hpet: {base: 0xfed0_0000},
	'generation-id': {address: 0x1000, id: '0123456789abcdef0123456789abcdef'},
	'dma-8237': {},
	'guest-watchdog': {port: 0x30},
	battery: {base: batteryAddress, initial: defaultBattery},
	pvpanic: {port: 0x505},
	i8042: {},
	'pci-config': {},
	debugcon: {port: 0xe9, backend: {kind: 'stderr'}},
	'debug-exit': {port: 0xf4},
	missing: {ports: missingOnEveryPc},
	'power-off-ports': {ports: knownPowerOffPorts},
	latch: {port: 0x500},
	'pcie-root-complex': testComplex,
	'pcie-root-port': {slot: 3, acs: 0x5f, prefixes: true},
	'pcie-upstream-port': {acs: 0, prefixes: false},
	'pcie-downstream-port': {acs: 0x5f, prefixes: false},
	'virtio-rng': {},
	'virtio-rng-mmio': {mmio: {base: 0xd000_0000, irq: 5}},
	'virtio-blk': disk,
	'virtio-blk-mmio': {...disk, mmio: {base: 0xd000_0000, irq: 5}},
	'pci-probe': {},
};

/** A PCI Express endpoint stands for those of users. */
const endpoint = completeModel(probeEndpoint);
const models = [...deviceModels, endpoint];
const findModel = (kind: string) => (kind === endpoint.kind ? endpoint : findDeviceModel(kind));

/** What owners ask of devices, each for those that know it. */
const commands: Readonly<Record<string, readonly DeviceCommand[]>> = {
	'acpi-pm': [powerButton],
	i8042: [
		{kind: 'press-key', usage: 4, down: true} as DeviceCommand,
		{kind: 'move-mouse', move: {dx: 1, dy: -1, buttons: 1}} as DeviceCommand,
	],
	'guest-watchdog': [watchdogReset],
	battery: [{kind: 'update-battery', status: {...defaultBattery, remainingMwh: 1}} as DeviceCommand],
	'generation-id': [{kind: 'change-generation', id: 'fedcba9876543210fedcba9876543210'} as DeviceCommand],
};

const steps = 20_000;
const crowdedBytes = 0x44;
const damagedRounds = 50;
const damagedSteps = 400;
const spaceEnds = {pio: 0x1_0000, mmio: 2 ** 52} as const;
const sizes: readonly AccessSize[] = [1, 2, 4];

/** Deterministic numbers below `limit` (numerical recipes' generator, high bits). */
function generator(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
}

type Step = Access | {readonly command: DeviceCommand};

interface Access {
	readonly region: number;
	readonly offset: number;
	readonly size: AccessSize;
	/** -1 reads. */
	readonly value: number;
}

/** Random accesses that a bus could pass on, inside one region, and now and then a command. */
function* accesses(device: Subject, seed: number, count = steps): Generator<Step> {
	const below = generator(seed);
	const known = commands[device.model.kind] ?? [];
	for (let step = 0; step < count; step++) {
		const command = known[below(16 * known.length)] ?? (device.regions.length === 0 ? known[0] : undefined);
		if (command !== undefined) {
			yield {command};
			continue;
		}
		const region = below(device.regions.length);
		const {length} = device.regions[region] as {length: number};
		const fitting = sizes.filter((size) => size <= length);
		const size = fitting[below(fitting.length)] as AccessSize;
		// Large regions have their registers at the start.
		const offset = below(Math.min(length, below(2) === 0 ? length : crowdedBytes) - size + 1);
		const value = below(2) === 0 ? -1 : below(2 ** (8 * size));
		device.nowNs += below(2e8);
		yield {region, offset, size, value};
	}
}

function perform(front: Subject['front'], step: Step): number {
	if ('command' in step) {
		front.control?.(step.command);
		return 0;
	}
	const {region, offset, size, value} = step;
	if (value < 0) return front.read(region, offset, size);
	front.write(region, offset, size, value);
	return 0;
}

const make = (kind: string): Subject => {
	return new DeviceUnderTest(findModel(kind) as never, configurations[kind]);
};

/** Values that fit every field and make no sense together. */
function randomState(device: Subject, below: (limit: number) => number): SavedStruct {
	const random = (field: AnyField): SavedField => {
		if (isKind(field, 'struct')) return randomFields(field);
		if (isKind(field, 'list')) return Array.from({length: field.length}, () => random(field.item));
		if (isKind(field, 'scalar') && field.type === 'f64') return (below(2 ** 31) - 2 ** 30) * 2 ** (below(54) - 31);
		if (isKind(field, 'scalar') && field.size < 8) return below(2 ** (8 * field.size)) + Number(field.range?.[0]);
		const bytes = Buffer.from(Uint8Array.from({length: field.size}, () => below(256)));
		return isKind(field, 'halves') || isKind(field, 'scalar') ? `0x${bytes.toString('hex')}` : bytes.toString('base64');
	};
	const randomFields = ({fields}: Wire): SavedFields =>
		Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, random(field)]));
	return {version: device.save().version, fields: randomFields(device.model.state)};
}

const snapshot = (device: Subject) => JSON.stringify(device.save());

test('kinds are unique and each has a configuration to be tested with', (t) => {
	const kinds = models.map(({kind}) => kind);
	t.deepEqual([...new Set(kinds)].sort(), Object.keys(configurations).sort());
	t.is(findDeviceModel('no-such-kind'), undefined);
});

for (const {kind} of models) {
	test(`${kind}: regions have unique names, do not overlap and stay in their space`, (t) => {
		const {regions} = make(kind);
		t.is(new Set(regions.map(({name}) => name)).size, regions.length);
		for (const [space, end] of Object.entries(spaceEnds)) {
			const sorted = regions.filter((region) => region.space === space).sort((a, b) => a.base - b.base);
			for (const [index, {base, length}] of sorted.entries()) {
				t.true(length > 0);
				t.true(base + length <= (sorted[index + 1]?.base ?? end));
			}
		}
	});

	test(`${kind}: no access throws, and every value fits its width`, (t) => {
		const device = make(kind);
		const misfits: string[] = [];
		for (const step of accesses(device, 1)) {
			const value = perform(device.front, step);
			const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * ('size' in step ? step.size : 1));
			misfits.push(...(fits ? [] : [`${JSON.stringify(step)} gave ${value}`]));
		}
		t.deepEqual(misfits, []);
	});

	test(`${kind}: reset restores the initial state and drops every interrupt`, (t) => {
		const device = make(kind);
		const initial = snapshot(device);
		for (const step of accesses(device, 2)) perform(device.front, step);
		t.not(snapshot(device), initial, 'else this proves nothing');
		device.nowNs = 0;
		device.reset();
		t.is(snapshot(device), initial);
		t.false([...device.levels.values()].includes(true));
	});

	test(`${kind}: any thread can serve any access, for all state is shared`, (t) => {
		const [one, two] = [make(kind), make(kind)];
		const fronts = [two.front, two.otherFront()] as const;
		const [answers, expected]: [number[], number[]] = [[], []];
		for (const step of accesses(one, 3)) {
			two.nowNs = one.nowNs;
			expected.push(perform(one.front, step));
			answers.push(perform(fronts[answers.length & 1] as (typeof fronts)[0], step));
		}
		t.deepEqual(answers, expected);
		t.is(snapshot(two), snapshot(one));
		t.deepEqual([...two.levels], [...one.levels]);
	});

	test(`${kind}: a saved device goes on as the one it was saved from`, (t) => {
		const [one, two] = [make(kind), make(kind)];
		for (const step of accesses(one, 5)) perform(one.front, step);
		two.restore(JSON.parse(JSON.stringify(one.save())));
		t.is(snapshot(two), snapshot(one));
		two.nowNs = one.nowNs;
		const [answers, expected]: [number[], number[]] = [[], []];
		for (const step of accesses(one, 6)) {
			two.nowNs = one.nowNs;
			expected.push(perform(one.front, step));
			answers.push(perform(two.front, step));
		}
		t.deepEqual(answers, expected);
	});

	test(`${kind}: whatever a saved state holds, no access throws and every value fits its width`, (t) => {
		const below = generator(7);
		for (let round = 0; round < damagedRounds; round++) {
			const device = make(kind);
			device.restore(randomState(device, below));
			const misfits: string[] = [];
			for (const step of accesses(device, round, damagedSteps)) {
				const value = perform(device.front, step);
				const fits = Number.isInteger(value) && value >= 0 && value < 2 ** (8 * ('size' in step ? step.size : 1));
				misfits.push(...(fits ? [] : [`${JSON.stringify(step)} gave ${value}`]));
			}
			t.deepEqual(misfits, []);
		}
	});

	test(`${kind}: a damaged saved state is refused, field by field, and changes nothing`, (t) => {
		const device = make(kind);
		const before = snapshot(device);
		const saved = device.save();
		for (const field of Object.keys(saved.fields)) {
			const {[field]: _, ...others} = saved.fields;
			t.throws(() => device.restore({...saved, fields: others}), {code: 'STATE_FIELD_WRONG'});
			t.throws(() => device.restore({...saved, fields: {...others, [field]: null as never}}), {
				code: 'STATE_FIELD_WRONG',
			});
		}
		t.is(snapshot(device), before);
	});

	test(`${kind}: the state can be decoded from another thread's view as finite numbers`, (t) => {
		const device = make(kind);
		for (const step of accesses(device, 4)) perform(device.front, step);
		const {state: schema} = device.model;
		const bytes = device.state.$bytes;
		const elsewhere = schema.on(bytes.buffer as SharedArrayBuffer, bytes.byteOffset);
		const decoded = JSON.stringify(saveStruct(schema, elsewhere, device.model.versions));
		t.is(decoded, snapshot(device));
		t.false(decoded.includes('null'), 'JSON has no other numbers');
	});
}
