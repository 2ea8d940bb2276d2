import type {TestFn} from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {AccessSize, DeviceModel} from '#devices/device';
import {completeModel} from '#devices/pci/function';
import {deviceRegistry} from '#devices/registry';
import {oneThreadMachine} from '#devices/testing';
import {type VmOptions, vmConfig} from '#main/config';
import {array, type Fields, u32, wire} from '#support/wire';
import {describeDevices} from '../index.ts';

const warmUps = 500;
const sweepsOfRound = 500;
/** The compiler has seen enough long before. */
const maxRounds = 600;
/** The smallest object has more. */
const noObject = 8;
/** Most registers of a device that have a turn, the first ones: large devices have many that are alike. */
const mostRegisters = 0x180;
const options: VmOptions = {
	devices: [
		...serialPorts({com1: {kind: 'file', path: '/dev/null'}}),
		{kind: 'hpet'},
		{kind: 'guest-watchdog'},
		{kind: 'battery'},
		{kind: 'debugcon', options: {port: 0xe9}},
		{kind: 'debug-exit', options: {port: 0xf4}},
	],
};
const types = {...deviceRegistry, own: []};
const birth = {timeMs: Date.UTC(2026, 0, 1), generationId: '00'.repeat(16)};

type Bus = ReturnType<typeof oneThreadMachine>['bus'];
type Access = (bus: Bus, round: number) => void;

/** Keeps what was read in use. */
let sum = 0;
const readPort =
	(port: number, size: AccessSize): Access =>
	(bus) => {
		sum ^= bus.readPort(port, size);
	};
const readMmio =
	(address: number): Access =>
	(bus) => {
		sum ^= bus.readMmio(address, 4);
	};
const writePort =
	(port: number, size: AccessSize, value?: number): Access =>
	(bus, round) =>
		bus.writePort(port, size, value ?? round & 0x7f);
const writeMmio =
	(address: number, value?: number): Access =>
	(bus, round) =>
		bus.writeMmio(address, 4, value ?? round & 0x7f);

/** Selects a register, writes it and reads it. */
const indexed = (port: number, index: number, value: number): Access[] => [
	writePort(port, 1, index),
	writePort(port + 1, 1, value),
	readPort(port + 1, 1),
];

/** Accesses to registers that hide behind others, and to ones that act together, by the device's name. */
const behind: Readonly<Record<string, readonly (readonly Access[])[]>> = {
	rtc: [
		// Bytes of the time, of the alarm, plain RAM; flags, rate and mode.
		...[0x00, 0x02, 0x04, 0x07, 0x08, 0x09, 0x32, 0x01, 0x05, 0x40].map((at) => indexed(0x70, at, 0x11)),
		[writePort(0x70, 1, 0x0c), readPort(0x71, 1), ...indexed(0x70, 0x0a, 0x26)],
		[...indexed(0x70, 0x0b, 0x82), ...indexed(0x70, 0x0b, 0x02)],
	],
	i8042: [
		...[0x20, 0xaa, 0xab, 0xa9, 0xad, 0xae, 0xc0, 0xd0].map((command) => [
			writePort(0x64, 1, command),
			readPort(0x60, 1),
		]),
		// The keyboard's commands, and the mouse's, with and without arguments.
		...[[0xff], [0xee], [0xf2], [0xfe], [0xf0, 0x00], [0xf0, 0x02], [0xed, 0x07], [0xf4], [0x30]].map((bytes) => [
			...bytes.map((byte) => writePort(0x60, 1, byte)),
			...[1, 2, 3].map(() => readPort(0x60, 1)),
		]),
		...[[0xff], [0xf2], [0xfe], [0xe9], [0xeb], [0xf3, 0x50], [0xe8, 0x02], [0xf4], [0xe7]].map((bytes) => [
			...bytes.flatMap((byte) => [writePort(0x64, 1, 0xd4), writePort(0x60, 1, byte)]),
			...[1, 2, 3, 4].map(() => readPort(0x60, 1)),
		]),
	],
	'guest-watchdog': [
		[writePort(0x30, 4, 0), writePort(0x34, 4, 0), readPort(0x34, 4), writePort(0x34, 4, 3)],
		...[1, 2].map((register) => [writePort(0x30, 4, register), readPort(0x34, 4), writePort(0x34, 4, 3)]),
	],
	pit: [0x34, 0x36, 0x30, 0x38].map((control) => [
		writePort(0x43, 1, control),
		writePort(0x40, 1, 0x34),
		writePort(0x40, 1, 0x12),
		writePort(0x43, 1, 0xc2),
		...[1, 2, 3].map(() => readPort(0x40, 1)),
	]),
	// The timer, whole: its registers are counted byte by byte else.
	pm: [[readPort(0x408, 4)]],
	ioapic: [0x00, 0x01, 0x14, 0x15].map((index) => [
		writeMmio(0xfec0_0000, index),
		writeMmio(0xfec0_0010, 0x1_0000),
		readMmio(0xfec0_0010),
	]),
	hpet: [0x11, 0x03].map((general) => [
		writeMmio(0xfed0_0010, general & 2),
		writeMmio(0xfed0_00f0, 0x9000_0010),
		writeMmio(0xfed0_00f4, 0),
		writeMmio(0xfed0_0100, 0x004c),
		writeMmio(0xfed0_0108, 0xa000_0000),
		writeMmio(0xfed0_010c, 0),
		writeMmio(0xfed0_0010, general),
		...[0xf0, 0xf4, 0x20, 0x108].map((offset) => readMmio(0xfed0_0000 + offset)),
	]),
};

function sweepOften(bus: Bus, accesses: readonly Access[], times: number): void {
	for (let sweep = 0; sweep < times; sweep++) {
		// Not by an iterator, which is an object itself until this is compiled.
		for (let at = 0; at < accesses.length; at++) accesses[at]?.(bus, sweep);
	}
}

/**
 * Bytes that a sweep leaves behind in the heap, once it is compiled: the least of all rounds, since a collection, the compiler
 * and the test itself leave some too. Stops below the smallest object.
 */
function bytesPerSweep(bus: Bus, accesses: readonly Access[]): number {
	let least = Number.POSITIVE_INFINITY;
	for (let round = 0; round < maxRounds && least >= noObject; round++) {
		const before = process.memoryUsage().heapUsed;
		sweepOften(bus, accesses, sweepsOfRound);
		const left = process.memoryUsage().heapUsed - before;
		if (left >= 0) least = Math.min(least, left / sweepsOfRound);
	}
	return least;
}

/** Every register of a device: written, then read, so that no reset value of more than 31 bits is left. */
function registersOf({space, base, length}: {space: string; base: number; length: number}): Access[][] {
	const registers = Math.min(length, mostRegisters);
	if (space === 'mmio') {
		const at = Array.from({length: registers >> 2}, (_, index) => base + 4 * index);
		return at.map((address) => [writeMmio(address), readMmio(address)]);
	}
	if (space !== 'pio') return [];
	const at = Array.from({length: registers}, (_, index) => base + index);
	return at.map((port) => [writePort(port, 1), readPort(port, 1)]);
}

/** Registers the tests that count the heap over every register of every chipset device. */
export function testGarbage(test: TestFn): void {
	for (const irqchip of ['kernel', 'split'] as const) {
		const config = vmConfig({...options, irqchip});
		const {devices} = describeDevices(config, [{gpa: 0, length: 2 ** 26}], birth, types);
		for (const [index, {name}] of devices.entries()) {
			test.serial(`no access to ${name} makes an object, with interrupt controllers of ${irqchip}`, (t) => {
				const {machine, bus, layout} = oneThreadMachine(devices);
				// Over an hour after power-on: times have more than 31 bits, and the counters of HPET and PM timer have bit 31 set.
				machine.time.set(4.23e12);
				machine.time.start();
				const own = layout.claims.filter(({device}) => device === index);
				const sweeps = [...own.flatMap(registersOf), ...(behind[name] ?? [])];
				// All in turn, as guests reach them: code that has seen only one of them is compiled for that.
				for (let round = 0; round < warmUps; round++) for (const accesses of sweeps) sweepOften(bus, accesses, 20);
				const left = sweeps.map((accesses, at) => [at, bytesPerSweep(bus, accesses)] as const);
				t.deepEqual(
					left.filter(([, bytes]) => bytes >= noObject),
					[],
				);
			});
		}
	}

	test.serial('no ring of a doorbell makes an object, nor does the value that it carries', (t) => {
		const model: DeviceModel<unknown, Fields> = {
			kind: 'queued',
			state: wire('queued', {tails: array(u32, 1)}),
			attach: {regions: () => [{space: 'pio', name: 'doorbells', base: 0x500, length: 8}]},
			doorbells: () => [
				{region: 0, offset: 0, size: 4, queue: 0, stores: {field: 'tails', index: 0}},
				{region: 0, offset: 4, size: 4, queue: 0},
			],
			front: () => ({read: () => 0, write() {}}),
			back: () => ({start() {}, stop: async () => {}, notified() {}, dispose() {}}),
		};
		const device = {name: 'nic', kind: model.kind, config: {}} as const;
		const {bus} = oneThreadMachine([device], {findModel: () => completeModel(model)});
		for (const access of [writePort(0x500, 4), writePort(0x500, 4, 0xffff_fffe), writePort(0x504, 4)])
			t.true(bytesPerSweep(bus, [access]) < noObject);
	});

	test('what the counting stands on: an object that lives for one access is seen', (t) => {
		const {bus} = oneThreadMachine([]);
		const kept: object[] = [];
		const keep: Access = (_bus, round) => {
			kept[0] = {round};
		};
		const left = bytesPerSweep(bus, [keep]);
		t.true(left >= noObject, `${left} bytes, ${kept.length + (sum & 0)}`);
	});
}
