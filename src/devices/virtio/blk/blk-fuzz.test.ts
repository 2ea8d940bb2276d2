import {closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
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
import {virtioBlkMmio, virtioBlkPci} from './index.ts';
import {ClearedRange, RequestHeader} from './layout.ts';

const [rounds, steps, queueSize] = [120, 80, 8];
const diskBytes = 64 * 1024;
const [header, data, statusByte, table] = [0x8000, 0x9000, 0x8800, 0xc000];
const [IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES] = [0, 1, 4, 8, 11, 13];
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
/** Rings of queue 0, and pages of headers, tables and data. */
const areas = [
	[0x1_0000, 16 * queueSize],
	[0x1_2000, 4 + 2 * queueSize + 2],
	[0x1_3000, 4 + 8 * queueSize + 2],
	[header, 64],
	[table, 256],
	[data, 256],
] as const;
/** Values that mean something as types, sectors, flags, lengths, indices or addresses. */
const words = [0, 1, 2, 3, 4, 7, 8, 11, 13, 16, 48, 77, 127, 128, 512, 0x7fff, 0x8000, 0x8080, 0xffff];
const addresses = [0, header, data, table, 0x1_0000, 0xf_fff0, 0xf_ffff, 0x10_0000, 2 ** 32 - 1, 2 ** 52, 2 ** 53 - 1];
const folder = mkdtempSync(join(tmpdir(), 'openvmm-blk-fuzz-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));
const features = [1, 2, 6, 9, 10, 11, 12, 13, 14];

for (const transport of ['pci', 'mmio'] as const)
	for (const isPacked of [false, true])
		test(`a driver of a disk on ${transport} that writes anything at any time ends nothing but its device, by ${isPacked ? 'packed' : 'split'} rings`, async (t) => {
			t.timeout(900_000);
			const below = seeded(10 + Number(isPacked) + 2 * Number(transport === 'pci'));
			const chance = (percent: number) => below(100) < percent;
			const any = <T>(values: readonly T[]) => values[below(values.length)] as T;
			const path = join(folder, `${transport}-${isPacked}`);
			const [faults, statuses] = [new Set<string>(), new Set<number>()];
			for (let round = 0; round < rounds; round++) {
				const isFile = round % 4 === 0;
				if (isFile) writeFileSync(path, new Uint8Array(diskBytes));
				const disk = isFile ? {kind: 'file', path, engine: 'threads'} : {kind: 'memory', bytes: diskBytes};
				const config = {disk, queues: 2, workers: 1, readOnly: chance(20), packed: true, id: 'fuzzed'};
				const model = transport === 'pci' ? virtioBlkPci : virtioBlkMmio;
				const machine = await VirtioMachine.opened(model as never, transport, config);
				const {memory, registers} = machine;
				if (transport === 'pci' && chance(30)) (registers as PciRegisters).useMessages(3);
				const driver = isPacked ? new PackedDriver(machine, queueSize) : new TestDriver(machine, queueSize);
				const start = () =>
					driver.begin([
						...features.filter(() => chance(70)),
						...[ringIndirect, ringEvent, ringReset].filter(() => chance(70)),
					]);
				start();
				/** A request that could be one, but for what a die says. */
				const offer = () => {
					const type = chance(80) ? any([IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES]) : any(words);
					const sector = chance(60) ? below(diskBytes / 512) : any([...words, ...addresses]);
					memory.copyIn(header, RequestHeader.encode({type, sector}));
					if (chance(30))
						memory.copyIn(data, ClearedRange.encode({sector: any(words), sectors: any(words), flags: below(3)}));
					const length = chance(70) ? 512 * below(4) : any(words);
					const writable = chance(80) ? type === IN || type === GET_ID : chance(50);
					const buffers = [
						{at: header, length: chance(90) ? 16 : below(32)},
						{at: chance(85) ? data : any(addresses.slice(0, 8)), length, writable},
						{at: statusByte, length: chance(90) ? 1 : below(4), writable: chance(90)},
					];
					driver.offer(chance(90) ? buffers : buffers.slice(below(3)), {head: below(queueSize - 2)});
				};
				/** The same in a table. */
				const offerTable = () => {
					memory.copyIn(header, RequestHeader.encode({type: any([IN, OUT, FLUSH]), sector: below(200)}));
					const parts = [
						[header, 16, NEXT],
						[data, 512, NEXT | (chance(50) ? WRITE : 0)],
						[statusByte, 1, WRITE | (chance(10) ? INDIRECT : 0)],
					] as const;
					for (const [index, [at, bytes, flags]] of parts.entries())
						driver.describe(table, index, at, bytes, flags, isPacked ? 0 : index + (chance(90) ? 1 : below(9)));
					const length = chance(90) ? 48 : any(words);
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
				/** Vectors that there are, and that there are none of. */
				const useVectors = () => {
					if (chance(80)) return;
					registers.write('queue_select', below(3));
					registers.write(any(['queue_msix_vector', 'config_msix_vector']), any([0, 1, 2, 3, 0x7ff, 0xfffe, 0xffff]));
				};
				const acts: readonly (() => void | Promise<void>)[] = [
					offer,
					offer,
					offerTable,
					() => (chance(40) ? scribble() : undefined),
					() => registers.notify(below(3), chance(50) ? undefined : below(0x1_0000)),
					() => driver.notify(),
					() => driver.notify(),
					() => {
						const status = (memory.readU8(statusByte) as unknown as number) ?? 0;
						statuses.add(status);
						memory.writeU8(statusByte, 0xee);
						registers.takeInterrupts();
					},
					...(transport === 'pci' ? [useVectors] : []),
					() => registers.writeConfig(below(64), any([1, 2, 4]), any(words)),
					() => {
						if (chance(85)) return;
						registers.write('queue_select', below(3));
						registers.write(
							any(['queue_size', 'queue_reset', 'queue_enable', 'queue_desc', 'queue_driver']),
							any(words),
						);
					},
					async () => {
						if (chance(90)) return;
						registers.write('device_status', 0);
						if (chance(50)) await machine.run();
						start();
					},
					() => {
						if (!isFile || chance(90)) return;
						// A file that changes under it.
						const fd = openSync(path, 'r+');
						ftruncateSync(fd, any([0, 512, diskBytes / 2, diskBytes]));
						closeSync(fd);
					},
				];
				for (let step = 0; step < steps; step++) await any(acts)();
				const state = machine.machine.stateOf('it')?.['virtio.queues'] as {fault: {cause: string}}[];
				faults.add(state[0]?.fault.cause ?? '');
				if (isFile) writeFileSync(path, new Uint8Array(diskBytes));
				registers.write('device_status', 0);
				for (let tries = 0; registers.read('device_status') !== 0 && tries < 10_000; tries++) await machine.run();
				await machine.run();
				t.deepEqual(machine.failures, [], `round ${round}`);
				// It does its work for the next driver.
				driver.begin([9]);
				memory.copyIn(header, RequestHeader.encode({type: IN, sector: 5}));
				memory.fill(data, 512, 0x77);
				driver.offer([
					{at: header, length: 16},
					{at: data, length: 512, writable: true},
					{at: statusByte, length: 1, writable: true},
				]);
				await driver.notify();
				let used = driver.used();
				for (let tries = 0; used.length === 0 && tries < 10_000; tries++) {
					await machine.run();
					used = driver.used();
				}
				t.deepEqual(used, [[0, 513]], `round ${round}`);
				await machine.stop();
				await machine.dispose();
				t.is(machine.pins, 0, `round ${round}`);
				if (isFile) t.is(readFileSync(path).length, diskBytes, 'no file becomes longer');
			}
			t.true(faults.size >= 4, [...faults].join());
			t.true(
				[0, 1, 2].every((status) => statuses.has(status)),
				[...statuses].join(),
			);
		});
