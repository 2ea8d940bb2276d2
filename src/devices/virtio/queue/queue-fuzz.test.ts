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

const rounds = 150;
const steps = 60;
const queueSize = 8;
const [input, output] = [0x8000, 0x9000];
/** The rings of queue 0, and a page of tables and buffers. */
const areas = [
	[0x1_0000, 16 * queueSize],
	[0x1_2000, 4 + 2 * queueSize + 2],
	[0x1_3000, 4 + 8 * queueSize + 2],
	[input, 256],
] as const;
/** Values that mean something as flags, lengths, places, indices or addresses. */
const words = [0, 1, 2, 3, 4, 5, 6, 7, 8, 16, 48, 0x80, 0x81, 0x7fff, 0x8000, 0x8001, 0x8080, 0xffff];
const addresses = [0, input, output, 0x1_0000, 0xf_fff0, 0xf_ffff, 0x10_0000, 2 ** 32 - 1, 2 ** 52, 2 ** 53 - 1];

for (const isPacked of [false, true])
	test(`a driver of a ${isPacked ? 'packed' : 'split'} queue that writes anything at any time ends nothing but its queue`, async (t) => {
		t.timeout(900_000);
		const below = seeded(isPacked ? 3 : 4);
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const faults = new Set<string>();
		let answered = 0;
		for (let round = 0; round < rounds; round++) {
			const control = new EchoControl();
			const machine = new VirtioMachine(echoModel('mmio', control) as never, 'mmio', {inOrder: true});
			const {memory, registers} = machine;
			const driver = isPacked ? new PackedDriver(machine, queueSize) : new TestDriver(machine, queueSize);
			driver.begin([ringIndirect, ringEvent, ringInOrder, ringReset].filter(() => chance(50)));
			const acts: readonly (() => void | Promise<void>)[] = [
				() => {
					if (chance(70)) return;
					const [start, length] = any(areas);
					const at = start + below(length);
					if (chance(20)) memory.writeU64(at & ~7, any(addresses));
					else memory.writeU16(at & ~1, any(words));
				},
				() => {
					if (chance(80)) return;
					const buffers = Array.from({length: 1 + below(4)}, (_, index) => {
						return {at: any(addresses.slice(0, 6)), length: below(64), writable: index > 1};
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
				() => {
					if (chance(90)) return;
					registers.write('queue_select', below(3));
					registers.write(any(['queue_size', 'queue_reset', 'queue_enable', 'queue_desc', 'queue_driver']), any(words));
				},
			];
			for (let step = 0; step < steps; step++) await any(acts)();
			const queues = machine.machine.stateOf('it')?.['virtio.queues'] as {fault: {cause: string}}[];
			faults.add(queues[0]?.fault.cause ?? '');
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
		t.true(faults.size >= 5, [...faults].join());
	});
