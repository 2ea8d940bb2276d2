import test from 'ava';
import {generator} from '#devices/conformance';
import {HeldDisks} from '#devices/storage/disk-set/testing';
import {dataPage, NvmeDriver, NvmeMachine} from './testing/index.ts';

const rounds = 40;
const steps = 150;
const queues = 4;

for (const workers of [1, 2, 3])
	test(`each command of a driver that keeps to the rules is completed once, whatever comes between, on ${workers} workers`, async (t) => {
		t.timeout(900_000);
		const below = generator(40 + workers);
		let completed = 0;
		for (let round = 0; round < rounds; round++) {
			const disks = new HeldDisks();
			disks.holds = false;
			const machine = await NvmeMachine.make({workers, queues}, disks);
			machine.useMessages();
			const driver = new NvmeDriver(machine);
			driver.enable();
			if (below(2) === 0) await driver.useShadow();
			const size = 4 + below(6);
			// Completion queues of their own, or the last one's.
			const shares = Array.from({length: queues + 1}, (_, queue) => queue > 0 && queue < queues && below(3) === 0);
			for (let queue = queues; queue >= 1; queue--)
				t.true(
					(await driver.create(queue, {size, completions: shares[queue] ? queues : queue})).every(
						(status) => status === 0,
					),
				);
			/** Commands by their ids, and those that the controller has fetched at most. */
			const waiting = new Map<number, number>();
			const inQueue = new Array<number>(queues + 1).fill(0);
			const take = (queue: number, releases: boolean) => {
				for (const {id, status, queue: from} of driver.take(queue, releases)) {
					t.is(status, 0);
					t.is(waiting.get(id), from, `command ${id} of queue ${from}, round ${round}`);
					waiting.delete(id);
					inQueue[from] = (inQueue[from] as number) - 1;
					completed++;
				}
			};
			const acts: readonly (() => void | Promise<void>)[] = [
				() => {
					const queue = 1 + below(queues);
					for (let count = 1 + below(size); count > 0; count--) {
						// The head is known by completions: so many are in the queue at most.
						if ((inQueue[queue] as number) >= size - 1) return;
						const opcode = below(3);
						waiting.set(
							driver.submit(queue, {opcode, nsid: 1, prp1: dataPage, dword10: below(1000)}, below(2) === 0),
							queue,
						);
						inQueue[queue] = (inQueue[queue] as number) + 1;
					}
				},
				() => driver.ring(1 + below(queues)),
				() => {
					const queue = 1 + below(queues);
					if (!shares[queue]) take(queue, below(2) === 0);
				},
				() => {
					const queue = 1 + below(queues);
					if (!shares[queue]) driver.release(queue);
				},
				() => machine.turn(below(workers)),
				() => machine.run(),
				() => {
					disks.holds = below(2) === 0;
					disks.finish(below(4));
				},
				async () => {
					if (below(4) > 0) return;
					disks.holds = false;
					const stopped = machine.stop();
					disks.finish();
					await stopped;
					machine.start();
				},
			];
			for (let step = 0; step < steps; step++) await acts[below(acts.length)]?.();
			disks.holds = false;
			disks.finish();
			for (let queue = 1; queue <= queues; queue++) {
				driver.ring(queue);
				if (!shares[queue]) driver.release(queue);
			}
			// Each time at least one queue gets on.
			for (let count = 0; count < 2 * queues && waiting.size > 0; count++) {
				await machine.run();
				for (let queue = 1; queue <= queues; queue++) if (!shares[queue]) take(queue, true);
			}
			t.is(waiting.size, 0, `round ${round}`);
			t.is(driver.status, 1);
			t.is(machine.pins, 0);
			t.deepEqual(machine.failures, []);
		}
		t.true(completed > 20 * rounds, `${completed}`);
	});
