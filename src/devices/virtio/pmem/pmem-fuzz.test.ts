import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {
	PackedDriver,
	type PciRegisters,
	ringEvent,
	ringIndirect,
	ringReset,
	seeded,
	TestDriver,
	VirtioMachine,
} from '#devices/virtio/testing';
import {unchecked} from '#support/trust';
import {virtioPmemPci} from './index.ts';

const [rounds, steps, queueSize] = [80, 80, 8];
const bytes = 2 ** 21;
const [request, answer, table] = [0x8000, 0x9000, 0xc000];
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
/** Rings of the queue, and pages of requests, answers and tables. */
const areas = [
	[0x1_0000, 16 * queueSize],
	[0x1_2000, 4 + 2 * queueSize + 2],
	[0x1_3000, 4 + 8 * queueSize + 2],
	[request, 64],
	[answer, 64],
	[table, 256],
] as const;
/** Values that mean something as types, flags, lengths, indices or addresses. */
const words = [0, 1, 2, 3, 4, 5, 7, 8, 16, 48, 0x7fff, 0x8000, 0x8080, 0xffff];
const addresses = [0, request, answer, table, 0x1_0000, 0xf_fffe, 0xf_ffff, 0x10_0000, 2 ** 32 - 1, 2 ** 52];
const folder = mkdtempSync(join(tmpdir(), 'openvmm-pmem-fuzz-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));

for (const isPacked of [false, true])
	test(`a driver of persistent memory that writes anything at any time ends nothing but its device, by ${isPacked ? 'packed' : 'split'} rings`, async (t) => {
		t.timeout(900_000);
		const below = seeded(30 + Number(isPacked));
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const path = join(folder, `${isPacked}`);
		const [faults, answers] = [new Set<string>(), new Set<number>()];
		for (let round = 0; round < rounds; round++) {
			writeFileSync(path, new Uint8Array(bytes));
			const source = {kind: 'file', path, private: chance(20)};
			const machine = await VirtioMachine.opened(virtioPmemPci as never, 'pci', {source, bytes});
			const {memory, registers} = machine;
			if (chance(30)) (registers as PciRegisters).useMessages(2);
			const driver = isPacked ? new PackedDriver(machine, queueSize) : new TestDriver(machine, queueSize);
			const start = () => driver.begin([0, ringIndirect, ringEvent, ringReset].filter(() => chance(70)));
			start();
			/** A request that could be one, but for what a die says. */
			const offer = () => {
				memory.writeU32(request, chance(80) ? 0 : any(words));
				const buffers = [
					{at: chance(90) ? request : any(addresses), length: chance(90) ? 4 : any(words)},
					{at: chance(90) ? answer : any(addresses), length: chance(90) ? 4 : any(words), writable: chance(90)},
				];
				driver.offer(chance(90) ? buffers : buffers.slice(below(2)), {head: below(queueSize - 1)});
			};
			/** The same in a table. */
			const offerTable = () => {
				const parts = [
					[request, 4, NEXT | (chance(10) ? WRITE : 0)],
					[answer, 4, WRITE | (chance(10) ? INDIRECT : 0)],
				] as const;
				for (const [index, [at, length, flags]] of parts.entries())
					driver.describe(table, index, at, length, flags, isPacked ? 0 : index + (chance(90) ? 1 : below(9)));
				const length = chance(90) ? 32 : any(words);
				if (driver instanceof PackedDriver) {
					driver.put(0, table, length, INDIRECT);
					driver.hand(1);
				} else {
					driver.describe(driver.place().descriptors, 0, table, length, INDIRECT);
					driver.publish(0);
				}
			};
			const scribble = () => {
				const [at, length] = any(areas);
				if (chance(20)) memory.writeU64((at + below(length)) & ~7, any(addresses));
				else memory.writeU16((at + below(length)) & ~1, any(words));
			};
			/** What is in flight takes turns. */
			const rest = async () => {
				let isOver = false;
				const stopped = machine.stop().then(() => {
					isOver = true;
				});
				while (!isOver) await machine.run();
				await stopped;
			};
			const acts: readonly (() => void | Promise<void>)[] = [
				offer,
				offer,
				offerTable,
				() => (chance(40) ? scribble() : undefined),
				() => registers.notify(below(2), chance(50) ? undefined : below(0x1_0000)),
				() => driver.notify(),
				() => machine.turn(0),
				() => {
					answers.add(unchecked(memory.readU32(answer)) ?? 0);
					memory.writeU32(answer, 0x5a5a_5a5a);
					registers.takeInterrupts();
				},
				() => registers.writeConfig(below(32), any([1, 2, 4]), any(words)),
				() => {
					if (chance(85)) return;
					registers.write('queue_select', below(2));
					registers.write(any(['queue_size', 'queue_reset', 'queue_enable', 'queue_desc', 'queue_driver']), any(words));
				},
				async () => {
					if (chance(90)) return;
					registers.write('device_status', 0);
					if (chance(50)) await machine.run();
					start();
				},
				async () => {
					if (chance(90)) return;
					await rest();
					machine.start();
				},
			];
			for (let step = 0; step < steps; step++) await any(acts)();
			const state = machine.machine.stateOf('it')?.['virtio.queues'] as {fault: {cause: string}}[];
			faults.add(state[0]?.fault.cause ?? '');
			registers.write('device_status', 0);
			for (let tries = 0; registers.read('device_status') !== 0 && tries < 10_000; tries++) await machine.run();
			await machine.run();
			t.deepEqual(machine.failures, [], `round ${round}`);
			// It does its work for the next driver.
			driver.begin([0]);
			memory.writeU32(request, 0);
			memory.writeU32(answer, 0x5a5a_5a5a);
			driver.offer([
				{at: request, length: 4},
				{at: answer, length: 4, writable: true},
			]);
			await driver.notify();
			let used = driver.used();
			for (let tries = 0; used.length === 0 && tries < 10_000; tries++) {
				await machine.run();
				used = driver.used();
			}
			t.deepEqual([used, unchecked(memory.readU32(answer))], [[[0, 4]], 0], `round ${round}`);
			await rest();
			await machine.dispose();
			t.is(machine.pins, 0, `round ${round}`);
			t.is(readFileSync(path).length, bytes);
		}
		t.true(faults.size >= 4, [...faults].join());
		t.true([0, 0xffff_ffff].every((each) => answers.has(each)));
	});
