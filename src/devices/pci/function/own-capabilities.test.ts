import test from 'ava';
import type {PciCapability, PciDeviceServices, PciFront, PciFunction} from '#devices/device';
import {complexOf, PciTestMachine, probeEndpoint, probeOf, rootPortOf} from '#devices/pci/testing';
import {completeModel} from './index.ts';

const bus = 1;
const devices = [complexOf(), rootPortOf('rp0', 0), probeOf('it', 'rp0')];
const bytes = (...values: number[]) => Uint8Array.of(...values);
const vendorSpecific = 0x09;

const machineOf = (capabilities: PciFunction<unknown>['capabilities'], more: object = {}) =>
	new PciTestMachine(
		devices,
		undefined,
		completeModel({...probeEndpoint, ...more, attach: {pci: {...probeEndpoint.attach.pci, capabilities}}} as never),
	);

/** Id and place of the capabilities in a list. */
function listOf(machine: PciTestMachine, extended = false): [id: number, at: number][] {
	const found: [number, number][] = [];
	let at = extended ? 0x100 : machine.config(bus, 0, 0x34, 1);
	while (at !== 0) {
		found.push([machine.config(bus, 0, at, extended ? 2 : 1), at]);
		at = extended ? machine.config(bus, 0, at + 2, 2) >>> 4 : machine.config(bus, 0, at + 1, 1);
	}
	return found;
}

test('capabilities of a device lie behind those of the platform, or where the device wants them', (t) => {
	const machine = machineOf(() => [
		{id: vendorSpecific, bytes: bytes(0, 0, 5, 1, 2)},
		{id: 1, bytes: bytes(0, 0, 3, 0), at: 0xc0},
		{id: vendorSpecific, bytes: bytes(0, 0, 4, 7)},
		{id: 0x0b, extended: 1, bytes: bytes(0, 0, 0, 0, 0xaa, 0xbb)},
		{id: 0x19, extended: 2, bytes: bytes(0, 0, 0, 0, 0xcc), at: 0xff8},
	]);
	t.deepEqual(listOf(machine).slice(3), [
		[1, 0xc0],
		[vendorSpecific, 0xa0],
		[vendorSpecific, 0xa8],
	]);
	t.deepEqual([machine.config(bus, 0, 0xa2), machine.config(bus, 0, 0xaa, 2)], [0x0002_0105, 0x0704]);
	t.deepEqual(listOf(machine, true), [
		[0x0b, 0x100],
		[0x19, 0xff8],
	]);
	t.deepEqual([machine.config(bus, 0, 0x104, 2), machine.config(bus, 0, 0xffc, 1)], [0xbbaa, 0xcc]);
});

test('the guest writes what is writable; the device sees it, changes its own bits and answers reads', (t) => {
	const seen: unknown[] = [];
	const machine = machineOf(
		() => [
			{
				id: vendorSpecific,
				bytes: bytes(0, 0, 8, 0, 0, 0, 0, 0),
				writable: bytes(0, 0, 0, 0, 0xf0, 0, 0, 0),
				live: bytes(0, 0, 0, 0, 0, 0xff, 0, 0),
			},
		],
		{
			front: (
				_config: unknown,
				_state: unknown,
				{pci}: {pci: {capability: (index: number) => {set(...a: number[]): void; read(...a: number[]): number}}},
			) => ({
				read: () => 0,
				write() {},
				capabilityWritten(...where: number[]) {
					seen.push(where, pci.capability(0).read(4, 1));
					pci.capability(0).set(5, 1, 0x77);
					t.throws(() => pci.capability(0).set(6, 4, 0));
				},
				capabilityRead: (_capability: number, offset: number) => (offset === 7 ? 0x99 : undefined),
			}),
		},
	);
	machine.setConfig(bus, 0, 0xa4, 0xffff_ffff);
	t.deepEqual(seen, [[0, 4, 4], 0xf0]);
	t.is(machine.config(bus, 0, 0xa4), 0x77f0);
	t.is(machine.config(bus, 0, 0xa7, 1), 0x99);
});

test('a write that is not aligned reaches what it covers byte by byte, and the device sees no more than its own', (t) => {
	const seen: number[][] = [];
	const words = (length: number): PciCapability => ({
		id: vendorSpecific,
		bytes: bytes(0, 0, length, ...Array(length - 3).fill(0)),
		writable: bytes(0, 0, 0, ...Array(length - 3).fill(0xff)),
	});
	const machine = machineOf(() => [words(5), words(4)], {
		front: (_config: unknown, _state: unknown, {pci}: PciDeviceServices): PciFront => ({
			read: () => 0,
			write() {},
			capabilityWritten: (index, offset, size) =>
				void seen.push([index, offset, pci.capability(index).read(offset, size)]),
		}),
	});
	machine.setConfig(bus, 0, 0xa3, 0x4433_2211);
	machine.setConfig(bus, 0, 0xa7, 0x8877_6655);
	machine.setConfig(bus, 0, 0xa4, 0x99);
	t.is(machine.config(bus, 0, 0xa1), 0x9911_05a8);
	t.deepEqual(seen, [
		[0, 3, 0x11],
		[0, 4, 0x22],
		[0, 5, 0],
		[0, 6, 0],
		[0, 7, 0],
		[1, 0, 9],
		[1, 1, 0],
		[1, 2, 4],
		[0, 4, 0x99],
	]);
});

test('what a capability is may depend on the configuration, and a reset gives it back', (t) => {
	const config = {letter: 0x41};
	const model = completeModel({
		...probeEndpoint,
		attach: {
			pci: {
				...probeEndpoint.attach.pci,
				capabilities: ({letter}: typeof config) => [
					{id: vendorSpecific, bytes: bytes(0, 0, 4, letter), writable: bytes(0, 0, 0, 0xff)},
				],
			},
		},
	} as never);
	const machine = new PciTestMachine(
		devices.map((each) => (each.name === 'it' ? {...each, config} : each)),
		undefined,
		model,
	);
	machine.setConfig(bus, 0, 0xa3, 0x5a, 1);
	t.is(machine.config(bus, 0, 0xa3, 1), 0x5a);
	machine.setConfig(bus, 0, 0x48, 0x8000, 2);
	t.is(machine.config(bus, 0, 0xa3, 1), 0x41, 'after a function reset');
});

const many = (count: number, each: PciCapability): PciCapability[] => Array.from({length: count}, () => ({...each}));
const small: PciCapability = {id: vendorSpecific, bytes: bytes(0, 0, 4, 0)};
const noRoom: [string, readonly PciCapability[]][] = [
	[
		'that overlap',
		[
			{...small, at: 0xc0},
			{...small, at: 0xc0},
		],
	],
	[
		'that overlap in part',
		[
			{id: 9, bytes: new Uint8Array(16), at: 0xc0},
			{...small, at: 0xcc},
		],
	],
	['over one of the platform', [{...small, at: 0x44}]],
	['over the header', [{...small, at: 0x30}]],
	['at an odd place', [{...small, at: 0xc2}]],
	['past the first 256 bytes', many(25, small)],
	['that end past them', [{id: 9, bytes: new Uint8Array(8), at: 0xfc}]],
	['of 4 KiB', [{id: 0x0b, extended: 1, bytes: new Uint8Array(0xf04)}]],
	['without a first extended one', [{id: 0x0b, extended: 1, bytes: new Uint8Array(8), at: 0x200}]],
];
for (const [what, capabilities] of noRoom) {
	test(`capabilities ${what} are refused`, (t) => {
		t.throws(() => machineOf(() => capabilities), {code: 'PCI_CAPABILITY_NO_ROOM', message: /pci-probe/});
	});
}

const impossible: [string, PciCapability][] = [
	['of MSI-X', {...small, id: 0x11}],
	['of no id', {...small, id: 0}],
	['of an id that is too large', {...small, id: 0x100}],
	["of an extended id that is the platform's", {...small, id: 0x0d, extended: 1}],
	['of an impossible version', {...small, extended: 16}],
	['without a header', {...small, bytes: bytes(1)}],
	['with bits for other bytes', {...small, writable: bytes(0, 0, 0)}],
	['with a header that changes', {...small, live: bytes(0, 1, 0, 0)}],
];
for (const [what, capability] of impossible) {
	test(`a capability ${what} is refused`, (t) => {
		t.throws(() => machineOf(() => [capability]), {code: 'PCI_CAPABILITY_IMPOSSIBLE', message: /pci-probe/});
	});
}

test('functions of one slot say that there are several, each with its own registers', (t) => {
	const several = [complexOf(), rootPortOf('rp0', 0), probeOf('zero', 'rp0'), probeOf('three', 'rp0', 3)];
	const machine = new PciTestMachine(several);
	t.deepEqual(
		[0, 1, 3].map((devfn) => machine.config(bus, devfn, 0x0e, 1)),
		[0x80, 0xff, 0x80],
	);
	t.is(machine.config(bus, 3, 0x0c) >>> 0, 0x0080_0000);
	const bars = [0, 3].map((devfn) => machine.config(bus, devfn, 0x10));
	t.not(bars[0], bars[1]);
	machine.bus.writeMmio(bars[1] as number, 4, 7);
	t.deepEqual(
		bars.map((bar) => machine.bus.readMmio(bar, 4)),
		[0, 7],
	);
	t.is(new PciTestMachine(devices).config(bus, 0, 0x0e, 1), 0, 'a function alone');
	t.throws(() => new PciTestMachine([complexOf(), rootPortOf('rp0', 0), probeOf('one', 'rp0', 1)]), {
		code: 'PCI_FUNCTION_0_MISSING',
	});
});
