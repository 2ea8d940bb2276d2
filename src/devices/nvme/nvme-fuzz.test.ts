import test from 'ava';
import {generator} from '#devices/conformance';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import {CommandStatus} from './status.ts';
import {dataPage, eventIndexPage, NvmeDriver, NvmeMachine, shadowPage} from './testing/index.ts';

const rounds = 60;
const steps = 200;
const [queues, size] = [3, 8];
/** Values that mean something as ids, sizes, dwords, doorbells or addresses. */
const words = [
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 0x7f, 0x80, 0xff, 0x7_0001, 0x7_0002, 0x1_0001, 0x2_0003, 0xffff, 0xffff_ffff,
];
const addresses = [
	0,
	dataPage,
	dataPage + 0x1000,
	dataPage + 0xff8,
	dataPage + 2,
	0x1_2000,
	0x1_3000,
	shadowPage,
	eventIndexPage,
	0xf_f000,
	0x10_0000,
	2 ** 51,
	2 ** 53,
];
const opcodes = [
	[0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 0x7c, 0x18],
	[0, 1, 2, 5, 8, 9],
] as const;
/** Statuses of what a driver may do wrong, each of which some command of it gets. */
const reached = [
	...(['INVALID_OPCODE', 'INVALID_FIELD', 'ID_CONFLICT', 'DATA_TRANSFER', 'INVALID_NAMESPACE', 'LBA_RANGE'] as const),
	...(['PRP_OFFSET', 'SGL_SEGMENT', 'SGL_COUNT', 'SGL_LENGTH', 'SGL_TYPE'] as const),
	...(['QUEUE_ID', 'QUEUE_SIZE', 'QUEUE_COMPLETION', 'QUEUE_DELETION', 'INTERRUPT_VECTOR'] as const),
];

for (const workers of [1, 2])
	test(`a driver that writes anything at any time ends nothing but its controller, of ${workers} workers`, async (t) => {
		t.timeout(900_000);
		const below = generator(20 + workers);
		const chance = (percent: number) => below(100) < percent;
		const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
		const statuses = new Set<number>();
		let failed = 0;
		for (let round = 0; round < rounds; round++) {
			const disks = new HeldDisks();
			disks.holds = false;
			const machine = await NvmeMachine.make({workers, queues}, disks);
			if (chance(80)) machine.useMessages();
			const driver = new NvmeDriver(machine);
			const {memory} = machine;
			for (let queue = 0; queue <= queues; queue++) driver.place(queue, size);
			driver.enable(size);
			await driver.create(1, {size});
			if (chance(40)) await driver.useShadow();
			await driver.create(2, {size, completions: chance(50) ? 1 : 2});
			/** A list of pages that leads anywhere, and most often back to itself. */
			const listPages = () => {
				for (let at = dataPage; at < dataPage + 0x1000; at += 8)
					memory.writeU64(at, chance(95) ? dataPage + 0x1000 * below(3) : any(addresses));
				const prp2 = dataPage + any([0, 8, 0xff0, 0xff8]);
				driver.submit(1, {opcode: 2, nsid: 1, prp1: dataPage, prp2, dword12: any([16, 63, 127, 511])});
			};
			/** The same of segments. */
			const listSegments = () => {
				for (let at = dataPage; at < dataPage + 0x400; at += 16) {
					memory.writeU64(at, chance(90) ? dataPage + 16 * below(64) : any(addresses));
					memory.writeU32(at + 8, any([0, 4, 16, 32, 256, 512, 0xffff_ffff]));
					memory.writeU32(at + 12, any([0, 0, 0, 0x20, 0x30, 0x10, 0x50]) * 2 ** 24);
				}
				const type = BigInt(any([0, 0x20, 0x30, 0x50]));
				const prp2 = BigInt(any([0, 16, 32, 17, 512, 4096, 16 * 257])) + (type << 56n);
				driver.submit(1, {opcode: 2, flags: 0x40, nsid: 1, prp1: dataPage, prp2, dword12: below(2)});
			};
			/** Queues over each other, of any size, with any id, completions and vector. */
			const makeQueues = () => {
				const {submissions, completions} = driver.pair(1 + below(2));
				const prp1 = chance(80) ? any([submissions, completions]) : any(addresses);
				const dword10 = any([1, 3, 7, 0, 255, 256, 0xffff]) * 2 ** 16 + any([1, 2, 3, 0, 9, 0xffff]);
				driver.submit(0, {opcode: any([1, 5]), prp1, dword10, dword11: any([0, 1, 2, 3, 9, 64]) * 2 ** 16 + 1});
			};
			/** Two commands of one id, of which the disk has the first. */
			const repeatId = async () => {
				const before = disks.holds;
				disks.holds = true;
				for (let count = 0; count < 2; count++) driver.submit(1, {opcode: 2, nsid: 1, prp1: dataPage, id: below(2)});
				await machine.run();
				disks.holds = before;
				if (!before) disks.finish();
			};
			const lists = [listPages, listSegments, makeQueues, repeatId];
			const acts: readonly (() => void | Promise<void>)[] = [
				() => {
					const queue = below(queues + 1);
					driver.submit(
						queue,
						{
							opcode: any(opcodes[queue === 0 ? 0 : 1]),
							flags: chance(80) ? 0 : below(256),
							nsid: chance(70) ? 1 : any(words),
							prp1: any(addresses),
							prp2: any(addresses),
							dword10: any(words),
							dword11: chance(50) ? 0 : any(words),
							dword12: any(words),
							...(chance(20) && {id: below(4)}),
						},
						chance(80),
					);
				},
				() => {
					if (chance(50))
						driver.submit(1 + below(2), {opcode: any([1, 2]), nsid: 1, prp1: dataPage, dword12: below(8)});
				},
				() => (chance(30) ? any(lists)() : undefined),
				() => machine.run(),
				() => {
					for (const {status} of driver.take(below(queues + 1), chance(80))) statuses.add(status);
				},
				() => {
					if (chance(30))
						memory.writeU32(
							(any([0x1_0000, 0x1_1000, 0x1_2000, 0x1_3000, dataPage, shadowPage]) + below(0x200)) & ~3,
							any(words),
						);
				},
				() => {
					if (chance(30)) memory.writeU64((dataPage + below(0x1000)) & ~7, any(addresses));
				},
				() => {
					if (chance(30)) machine.write(0x1000 + 4 * below(2 * queues + 6), any(words));
				},
				() => {
					if (chance(10)) machine.write(4 * below(16), any(words));
				},
				() => {
					if (chance(5)) machine.write(0x14, any([0, 0x46_0001, 0x46_4001, 0x46_8001]));
				},
				async () => {
					if (!chance(10)) return;
					machine.write(0x14, 0);
					await machine.run();
					if (chance(20)) {
						machine.write(any([0x24, 0x28, 0x2c, 0x30]), any([...words, ...addresses.slice(0, -2)]));
						machine.write(0x14, 0x46_0001);
						return;
					}
					driver.isShadowed = false;
					driver.enable(size);
					for (const queue of [1, 2]) for (const command of driver.creation(queue)) driver.submit(0, command);
				},
				() => {
					if (chance(5)) machine.setConfig(4, 2, any([2, 6]));
				},
				() => {
					disks.holds = chance(40);
					if (!disks.holds) disks.finish(below(6));
				},
				async () => {
					if (!chance(10)) return;
					disks.holds = false;
					const stopped = machine.stop();
					disks.finish();
					await stopped;
					machine.start();
				},
			];
			// A third of what it does is commands, and what comes of them.
			for (let step = 0; step < steps; step++) await any(chance(67) ? acts : acts.slice(0, 5))();
			failed += (driver.status >>> 1) & 1;
			disks.holds = false;
			disks.finish();
			machine.setConfig(4, 2, 6);
			// Twice, as the first may have come amid another.
			for (let count = 0; count < 2; count++) {
				machine.write(0x14, 1);
				machine.write(0x14, 0);
				await machine.run();
			}
			t.is(driver.status & 3, 0, `round ${round}`);
			t.is(machine.pins, 0, `round ${round}`);
			t.deepEqual(machine.failures, [], `round ${round}`);
			driver.isShadowed = false;
			driver.enable(size);
			t.deepEqual(await driver.create(1), [0, 0], `round ${round}`);
			t.is((await driver.perform(1, {opcode: 2, nsid: 1, prp1: dataPage})).status, 0, `round ${round}`);
		}
		// Else it has not been there.
		for (const name of reached) t.true(statuses.has(CommandStatus[name]), `${name}: ${[...statuses]}`);
		t.true(failed > 0 && failed < rounds, `${failed}`);
	});
