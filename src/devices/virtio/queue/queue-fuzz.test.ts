import test from 'ava';
import {
	EchoControl,
	echoModel,
	PackedDriver,
	ringEvent,
	ringIndirect,
	ringInOrder,
	ringReset,
	seeded,
	TestDriver,
	VirtioMachine,
} from '#devices/virtio/testing';
import {PackedDescriptor} from './index.ts';

const rounds = 200;
const steps = 100;
const queueSize = 8;
const needsReset = 64;
const [input, output, table] = [0x8000, 0x9000, 0xa000];
/** The rings of queue 0, and a page of tables and buffers. */
const areas = [
	[0x1_0000, 16 * queueSize],
	[0x1_2000, 4 + 2 * queueSize + 2],
	[0x1_3000, 4 + 8 * queueSize + 2],
	[input, 256],
] as const;
/** Values that mean something as flags, lengths, places, indices or addresses. */
const words = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 48, 0x80, 0x81, 0x7fff, 0x8000, 0x8001, 0x8080, 0xffff];
/** Two regions that adjoin, and one behind a gap. */
const ram = [
	{gpa: 0, length: 0x8_0000},
	{gpa: 0x8_0000, length: 0x8_0000},
	{gpa: 0x11_0000, length: 0x1_0000},
];
/** In the first of them, over their borders and beyond; behind those come ones that no number is, up to the end of all addresses. */
const addresses = [
	0,
	input,
	output,
	0x1_0000,
	0x7_fff0,
	0xf_fff0,
	0x10_ffff,
	0x10_0000,
	2 ** 32 - 1,
	2 ** 52,
	2 ** 53 - 1,
];
/** Bits of a status one by one, as drivers add them up, and such as nobody has. */
const statuses = [1, 2, 3, 4, 7, 8, 0xb, 0xf, 0x30, 0x40, 0x80, 0xff];
/** Bits of which a driver that goes on in any order has some at the end. */
const reachedBits = [1, 2, 4, 8, 0x80];
const lastAddresses = [2n ** 63n, 2n ** 64n - 8n, 2n ** 64n - 1n];
/** Rules that some step of it breaks. */
const reached = {
	split: ['availableIndex', 'head', 'buffer', 'next', 'loop', 'indirect', 'place'],
	packed: ['availableIndex', 'head', 'buffer', 'loop', 'indirect', 'place'],
} as const;

for (const isPacked of [false, true])
	test(`a driver of a ${isPacked ? 'packed' : 'split'} queue that writes anything at any time ends nothing but its queue`, async (t) => {
		t.timeout(900_000);
		const below = seeded(isPacked ? 5 : 4);
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const faults = new Set<string>();
		const reachedBy = new Set<number>();
		let answered = 0;
		for (let round = 0; round < rounds; round++) {
			const control = new EchoControl();
			const machine = new VirtioMachine(echoModel('mmio', control) as never, 'mmio', {inOrder: true}, true, ram);
			const {memory, registers} = machine;
			const driver = isPacked ? new PackedDriver(machine, queueSize) : new TestDriver(machine, queueSize);
			const start = () => driver.begin([ringIndirect, ringEvent, ringInOrder, ringReset].filter(() => chance(50)));
			start();
			const state = () => machine.machine.stateOf('it') as Record<string, unknown>;
			const note = () => {
				const queues = state()['virtio.queues'] as {fault: {cause: string}}[];
				faults.add(queues[0]?.fault.cause ?? '');
			};
			const writeStatus = () => registers.write('device_status', any(statuses));
			const writeFeatures = () => {
				registers.write('driver_feature_select', any([0, 1, 1, 1, 2, 0xffff]));
				registers.write('driver_feature', any([0, 1, 1, 1, 2 ** 28, 2 ** 31, 2 ** 32 - 1]));
			};
			/** A descriptor that may lead anywhere: on, round, to a table, or from one table to the next. */
			const anything = () => {
				const at = chance(60) ? output : chance(70) ? table : any(addresses);
				return {at, length: any([0, 4, 16, 24, 32, 64, 16 * 1025]), flags: below(8), next: below(queueSize + 1)};
			};
			const offerAnything = () => {
				if (chance(88)) return;
				for (let index = 0; index < queueSize; index++) {
					const {at, length, flags, next} = anything();
					if (isPacked) memory.copyIn(table + 16 * index, PackedDescriptor.encode({address: at, length, flags}));
					else driver.describe(table, index, at, length, flags, next);
				}
				const count = chance(70) ? 1 + below(3) : queueSize;
				const isCircle = count === queueSize && chance(50);
				for (let index = 0; index < count; index++) {
					const circle = {at: output, length: 4, flags: 1, next: (index + 1) % queueSize};
					const {at, length, flags, next} = isCircle ? circle : anything();
					if (driver instanceof PackedDriver) driver.put(index, at, length, flags, below(queueSize));
					else driver.describe(driver.place().descriptors, index, at, length, flags, next);
				}
				if (driver instanceof PackedDriver) driver.hand(count);
				else driver.publish(0);
			};
			const acts: readonly (() => void | Promise<void>)[] = [
				() => {
					if (chance(70)) return;
					const [start, length] = any(areas);
					const at = start + below(length);
					if (chance(3)) memory.writeBigU64(at & ~7, any(lastAddresses));
					else if (chance(20)) memory.writeU64(at & ~7, any(addresses));
					else memory.writeU16(at & ~1, any(words));
				},
				() => {
					if (chance(80)) return;
					const buffers = Array.from({length: 1 + below(4)}, (_, index) => {
						return {at: any(addresses.slice(0, 7)), length: below(64), writable: index > 1};
					});
					driver.offer(buffers, {head: below(queueSize)});
				},
				() => {
					driver.offer(
						[
							{at: input, length: 4},
							{at: output, length: 4, writable: true},
						],
						{head: 2 * below(4)},
					);
				},
				offerAnything,
				async () => {
					if (chance(88)) return;
					// More than there is room for, while the device has all that there was.
					control.holds = true;
					for (let id = 0; id <= queueSize; id++) driver.offer([{at: input, length: 4}], {head: id % queueSize});
					await driver.notify();
				},
				async () => {
					if ((driver.status & needsReset) === 0) return;
					note();
					answered += control.held.length;
					control.finish();
					registers.write('device_status', 0);
					await machine.run();
					start();
				},
				() => registers.notify(below(3)),
				() => driver.notify(),
				() => {
					control.holds = chance(50);
				},
				() => {
					const held = control.takeHeld();
					answered += held.length;
					for (const answer of held.sort(() => below(3) - 1)) answer();
				},
				async () => {
					if (chance(95)) return;
					// Off, of another size and elsewhere, and on again.
					const write = (name: string, value: number) => registers.write(name, value);
					write('queue_select', 0);
					write('queue_reset', 1);
					await machine.run();
					write('queue_select', 0);
					write('queue_size', any([0, 1, 3, 7, queueSize, 17, 0x8000, 0xffff]));
					if (chance(50)) write('queue_desc', any(addresses) % 2 ** 32);
					write('queue_enable', 1);
				},
				() => {
					if (chance(80)) return;
					// What was agreed on stays, whatever is written then; only zero takes a status back.
					const [before, agreed] = [driver.status, `${state()['virtio.features']}`];
					for (let count = 1 + below(4); count > 0; count--) (chance(50) ? writeStatus : writeFeatures)();
					t.is(driver.status & before, before, `round ${round}`);
					t.is(`${state()['virtio.features']}`, agreed, `round ${round}`);
				},
				async () => {
					if (chance(95)) return;
					// One that begins in any order, and rings whatever it has got to.
					answered += control.held.length;
					control.finish();
					registers.write('device_status', 0);
					if (chance(70)) await machine.run();
					for (let count = below(30); count > 0; count--) {
						any([writeStatus, writeStatus, writeFeatures, () => driver.setUp(0)])();
						if (chance(20)) await driver.notify();
					}
					reachedBy.add(driver.status);
					registers.write('device_status', 0);
					await machine.run();
					start();
				},
				() => {
					if (chance(90)) return;
					registers.write('queue_select', below(3));
					registers.write(any(['queue_size', 'queue_reset', 'queue_enable', 'queue_desc', 'queue_driver']), any(words));
				},
			];
			for (let step = 0; step < steps; step++) await any(acts)();
			note();
			control.holds = false;
			control.finish();
			registers.write('device_status', 0);
			await machine.run();
			t.deepEqual(machine.failures, [], `round ${round}`);
			driver.begin();
			driver.offer([
				{at: input, length: 4},
				{at: output, length: 4, writable: true},
			]);
			await driver.notify();
			t.deepEqual(driver.used(), [[0, 4]], `round ${round}`);
		}
		t.true(answered > rounds, `${answered}`);
		for (const bit of reachedBits)
			t.true(
				[...reachedBy].some((status) => (status & bit) !== 0),
				`${bit}: ${[...reachedBy]}`,
			);
		// Else it has not been there.
		for (const fault of reached[isPacked ? 'packed' : 'split']) t.true(faults.has(fault), `${fault}: ${[...faults]}`);
	});
