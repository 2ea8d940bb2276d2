import test from 'ava';
import {EventFlag} from '#devices/virtio/queue';
import {
	type Buffer,
	EchoControl,
	echoModel,
	PackedDriver,
	ringEvent,
	ringIndirect,
	VirtioMachine,
} from '#devices/virtio/testing';

const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
const needsReset = 64;
const ramBytes = 0x10_0000;
const table = 0x8000;
const queueInterrupt = 1;
const echo = (length: number): readonly Buffer[] => [
	{at: table, length},
	{at: table + 0x1000, length, writable: true},
];

function make(features: readonly number[] = [ringIndirect], queueSize = 8) {
	const control = new EchoControl();
	const machine = new VirtioMachine(echoModel('mmio', control) as never, 'mmio');
	const driver = new PackedDriver(machine, queueSize);
	driver.begin(features);
	return {control, machine, driver};
}

type Made = ReturnType<typeof make>;

/** As inspect shows it. */
function faultOf({machine}: VirtioMachine) {
	const queues = machine.stateOf('it')?.['virtio.queues'] as {fault: {cause: string}}[] | undefined;
	return queues?.[0]?.fault.cause;
}

for (const queueSize of [8, 5])
	test(`chains of a packed ring of ${queueSize} are answered across many laps, by id`, async (t) => {
		const {driver, machine} = make([ringEvent], queueSize);
		let id = 0;
		for (let round = 0; round < 40; round++) {
			machine.memory.copyIn(table, new TextEncoder().encode(`round ${round % 10}`));
			driver.offer(echo(7), {head: id});
			await driver.notify();
			t.deepEqual(driver.used(), [[id, 7]]);
			const bytes = new Uint8Array(7);
			machine.memory.copyOut(table + 0x1000, bytes);
			t.is(new TextDecoder().decode(bytes), `round ${round % 10}`);
			id = (id + 7) & 0xffff;
		}
		t.deepEqual(machine.failures, []);
	});

test('chains of a packed ring that are done out of order take the places of those before', async (t) => {
	const {control, driver, machine} = make([]);
	control.holds = true;
	for (let lap = 0; lap < 9; lap++) {
		driver.offer(echo(3), {head: 1});
		driver.offer([{at: table, length: 5}], {head: 2});
		driver.offer([...echo(4), {at: table + 0x2000, length: 9, writable: true}], {head: 3});
		await driver.notify();
		t.deepEqual(driver.used(), []);
		control.finish();
		t.deepEqual(driver.used(), [
			[3, 4],
			[2, 0],
			[1, 3],
		]);
	}
	t.deepEqual(machine.failures, []);
});

test('a table of a packed ring is one chain of all its entries, whatever their flags and ids say', async (t) => {
	const {driver, machine} = make();
	machine.memory.copyIn(table + 0x100, new TextEncoder().encode('abcdef'));
	for (const [index, [at, length, flags]] of (
		[
			[table + 0x102, 1, 0],
			[table + 0x105, 1, NEXT],
			[table + 0x200, 100, WRITE],
		] as const
	).entries()) {
		machine.memory.writeU64(table + 16 * index, at);
		machine.memory.writeU32(table + 16 * index + 8, length);
		machine.memory.writeU16(table + 16 * index + 12, 99);
		machine.memory.writeU16(table + 16 * index + 14, flags);
	}
	driver.put(0, table, 48, INDIRECT, 6);
	driver.hand(1, 6);
	await driver.notify();
	t.deepEqual(driver.used(), [[6, 2]]);
	const bytes = new Uint8Array(2);
	machine.memory.copyOut(table + 0x200, bytes);
	t.is(new TextDecoder().decode(bytes), 'cf');
});

test('the driver of a packed ring is told of what is used unless it does not want to be', async (t) => {
	const {driver, machine} = make([]);
	for (const [flags, told] of [
		[EventFlag.ENABLE, queueInterrupt],
		[EventFlag.DISABLE, 0],
		// Without the event index there are no places.
		[EventFlag.PLACE, queueInterrupt],
	] as const) {
		driver.setEvents(flags);
		driver.offer(echo(1));
		await driver.notify();
		t.is(machine.registers.takeInterrupts(), told);
		t.is(driver.used().length, 1);
	}
});

test('with the event index each side of a packed ring says from which place on it wants to be told', async (t) => {
	const {driver, machine} = make([ringEvent], 4);
	const wrap = 0x8000;
	// One descriptor each; the place is on lap 1 where the top bit is set.
	for (let position = 0; position < 16; position++) {
		const lap = position % 8 < 4 ? wrap : 0;
		const isAwaited = position % 3 !== 0;
		const awaited = isAwaited ? (position % 4) | lap : ((position + 1) % 4) | ((position + 1) % 8 < 4 ? wrap : 0);
		driver.setEvents(EventFlag.PLACE, awaited);
		driver.offer([{at: table, length: 1}], {head: position});
		await driver.notify();
		t.deepEqual(driver.used(), [[position, 0]]);
		// What the driver was told of first is not known.
		t.is(machine.registers.takeInterrupts(), isAwaited || position === 0 ? queueInterrupt : 0, `${position}`);
		const next = position + 1;
		t.deepEqual(driver.deviceEvents, {flags: EventFlag.PLACE, place: (next % 4) | (next % 8 < 4 ? wrap : 0)});
	}
});

test('a saved packed ring goes on where it was, in any lap', async (t) => {
	for (let before = 0; before < 9; before++) {
		const {driver, machine} = make([], 4);
		for (let round = 0; round < before; round++) {
			driver.offer([{at: table, length: 1}], {head: round});
			await driver.notify();
			t.deepEqual(driver.used(), [[round, 0]]);
		}
		await machine.stop();
		machine.start();
		driver.offer(echo(2), {head: 77});
		await driver.notify();
		t.deepEqual(driver.used(), [[77, 2]]);
		t.deepEqual(machine.failures, []);
	}
});

/** Faults of a driver that leave nothing standing but the device. */
const wrong: readonly (readonly [
	fault: string,
	what: string,
	act: (made: Made) => void | Promise<void>,
	features?: readonly number[] | undefined,
])[] = [
	[
		'head',
		'an id that the device has already',
		({driver, control}) => {
			control.holds = true;
			driver.offer([{at: table, length: 4}], {head: 3});
			driver.offer([{at: table, length: 4}], {head: 3});
		},
	],
	[
		'loop',
		'a chain that is longer than the ring',
		({driver}) => {
			for (let slot = 0; slot < 8; slot++) driver.put(slot, table, 4, NEXT);
			driver.hand(8);
		},
	],
	[
		'availableIndex',
		'descriptors made available again that the device has',
		async ({driver, control}) => {
			control.holds = true;
			for (let id = 0; id < 8; id++) driver.offer([{at: table, length: 4}], {head: id});
			await driver.notify();
			driver.offer([{at: table, length: 4}], {head: 8});
		},
	],
	[
		'loop',
		'a chain into descriptors that the device has',
		async ({driver, control}) => {
			control.holds = true;
			for (let id = 0; id < 6; id++) driver.offer([{at: table, length: 4}], {head: id});
			await driver.notify();
			driver.offer([...echo(4), ...echo(4)], {head: 9});
		},
	],
	['buffer', 'a buffer that is no memory', ({driver}) => driver.offer([{at: ramBytes - 2, length: 4}])],
	[
		'buffer',
		'a buffer at the end of addresses',
		({driver, machine}) => {
			driver.put(0, 0, 4, 0);
			machine.memory.writeBigU64(driver.place().descriptors, 0xffff_ffff_ffff_fffen);
			driver.hand(1);
		},
	],
	[
		'buffer',
		'a buffer to read behind one to write',
		({driver}) =>
			driver.offer([
				{at: table, length: 4, writable: true},
				{at: table, length: 4},
			]),
	],
	...(
		[
			['that was not negotiated', 16, INDIRECT, []],
			['of nothing', 0, INDIRECT],
			['of half a descriptor', 24, INDIRECT],
			['that is huge', 16 * 1025, INDIRECT],
			['that goes on', 16, INDIRECT | NEXT],
		] as const
	).map(
		([what, length, flags, features]) =>
			[
				'indirect',
				`a table ${what}`,
				({driver}: Made) => {
					driver.put(0, table, length, flags);
					driver.put(1, table, 4, 0);
					driver.hand(2);
				},
				features,
			] as const,
	),
	[
		'indirect',
		'a table behind another buffer',
		({driver}) => {
			driver.put(0, table, 16, NEXT);
			driver.put(1, table, 16, INDIRECT);
			driver.hand(2);
		},
	],
	[
		'indirect',
		'a table in a table',
		({driver, machine}) => {
			machine.memory.writeU16(table + 14, INDIRECT);
			driver.put(0, table, 16, INDIRECT);
			driver.hand(1);
		},
	],
];
for (const [fault, what, act, features] of wrong)
	test(`${what} breaks a packed queue, and a reset mends it`, async (t) => {
		const made = make(features);
		const {control, machine, driver} = made;
		await act(made);
		await driver.notify();
		t.is(driver.status & needsReset, needsReset);
		t.is(faultOf(machine), fault);
		control.finish();
		machine.registers.write('device_status', 0);
		await machine.run();
		driver.begin();
		control.holds = false;
		driver.offer(echo(4));
		await driver.notify();
		t.deepEqual(driver.used(), [[0, 4]]);
		t.deepEqual(machine.failures, []);
	});

for (const [register, at] of [
	['queue_desc', ramBytes - 16],
	['queue_desc', 0x1_0008],
	['queue_driver', 0x1_2002],
	['queue_device', 0x1_3002],
	['queue_device', 0xffff_fffc],
] as const)
	test(`a packed queue whose ${register} is ${at.toString(16)} is broken`, async (t) => {
		const machine = new VirtioMachine(echoModel('mmio') as never, 'mmio');
		const driver = new PackedDriver(machine);
		const write = machine.registers.write.bind(machine.registers);
		machine.registers.write = (name, value) => write(name, name === register ? at : value);
		driver.begin();
		await driver.notify();
		t.is(driver.status & needsReset, needsReset);
		t.is(faultOf(machine), 'place');
	});

for (const slots of [1, 2, 4])
	test(`the driver is told of two whole laps of a packed ring that are used in one turn, ${slots} at a time`, async (t) => {
		const {control, driver, machine} = make([], 4);
		const offer = () => driver.offer(Array.from({length: slots}, () => ({at: table, length: 1})));
		offer();
		await driver.notify();
		t.is(machine.registers.takeInterrupts(), queueInterrupt);
		t.is(driver.used().length, 1);
		control.queueReady = (queue) => {
			// Another processor makes more available as soon as it sees that some is used.
			for (let left = 8 / slots; left > 0; left--) {
				offer();
				const chain = queue.next();
				if (chain === undefined) return;
				queue.complete(chain, 0);
				t.is(driver.used().length, 1);
			}
		};
		await driver.notify();
		t.is(machine.registers.takeInterrupts(), queueInterrupt);
	});
