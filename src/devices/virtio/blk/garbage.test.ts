import test from 'ava';
import {PackedDescriptor, PackedFlag} from '#devices/virtio/queue';
import {ringIndirect, ringPacked, TestDriver, VirtioMachine} from '#devices/virtio/testing';
import {RequestHeader, RequestType} from './layout.ts';
import {virtioBlkPci} from './virtio-blk.ts';

const [size, chains, turns] = [64, 16, 2000];
/** The compiler has seen enough long before. */
const maxRounds = 500;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];
const [headers, statuses, data, tables] = [0x6000, 0x6800, 0x8000, 0xc000];
const descriptorBytes = 16;
const tableBytes = 3 * descriptorBytes;
const sector = 512;

/** A driver's way to have chains in its ring. Of the two parts the second leaves nothing in the heap itself. */
interface Rings {
	readonly features: readonly number[];
	prepare(driver: TestDriver): void;
	/** Makes so many chains available, from the one with this number on. */
	offer(driver: TestDriver, place: ReturnType<TestDriver['place']>, first: number, count: number): void;
}

/** Header, data and status of a chain, every other of which is read. */
const buffersOf = (chain: number) => [
	{at: headers + RequestHeader.size * chain, length: RequestHeader.size, flags: 0},
	{at: data + sector * chain, length: sector, flags: chain % 2 === 0 ? WRITE : 0},
	{at: statuses + chain, length: 1, flags: WRITE},
];

/** Descriptors of a split queue one after the other, whose first has this number. */
function describeSplit(driver: TestDriver, table: number, first: number, chain: number): void {
	for (const [index, {at, length, flags}] of buffersOf(chain).entries())
		driver.describe(
			table,
			first + index,
			at,
			length,
			flags | (index < 2 ? NEXT : 0),
			index < 2 ? first + index + 1 : 0,
		);
}

/** The available ring holds the same heads again and again. */
function fillRing(driver: TestDriver, headOf: (chain: number) => number): void {
	for (let index = 0; index < size; index++)
		driver.machine.memory.writeU16(driver.place().driver + 4 + 2 * index, headOf(index % chains));
}

const offerSplit: Rings['offer'] = ({machine}, place, first, count) =>
	void machine.memory.writeU16(place.driver + 2, (first + count) & 0xffff);

const rings: Readonly<Record<string, Rings>> = {
	'a split ring': {
		features: [],
		prepare(driver) {
			for (let chain = 0; chain < chains; chain++) describeSplit(driver, driver.place().descriptors, 3 * chain, chain);
			fillRing(driver, (chain) => 3 * chain);
		},
		offer: offerSplit,
	},
	'a split ring with tables': {
		features: [ringIndirect],
		prepare(driver) {
			for (let chain = 0; chain < chains; chain++) {
				describeSplit(driver, tables + tableBytes * chain, 0, chain);
				driver.describe(driver.place().descriptors, chain, tables + tableBytes * chain, tableBytes, INDIRECT);
			}
			fillRing(driver, (chain) => chain);
		},
		offer: offerSplit,
	},
	'a packed ring with tables': {
		features: [ringPacked, ringIndirect],
		prepare(driver) {
			const {memory} = driver.machine;
			for (let chain = 0; chain < chains; chain++)
				for (const [index, {at, length, flags}] of buffersOf(chain).entries())
					memory.copyIn(
						tables + tableBytes * chain + descriptorBytes * index,
						PackedDescriptor.encode({address: at, length, flags}),
					);
			for (let slot = 0; slot < size; slot++)
				memory.writeU64(driver.place().descriptors + descriptorBytes * slot, tables + tableBytes * (slot % chains));
		},
		offer({machine}, {descriptors}, first, count) {
			for (let place = first; place < first + count; place++) {
				const at = descriptors + descriptorBytes * (place % size);
				machine.memory.writeU32(at + 8, tableBytes);
				machine.memory.writeU16(at + 12, place % chains);
				const owner = place % (2 * size) < size ? PackedFlag.AVAILABLE : PackedFlag.USED;
				machine.memory.writeU16(at + 14, INDIRECT | owner);
			}
		},
	},
};

for (const [name, {features, prepare, offer}] of Object.entries(rings))
	test.serial(`a request by ${name} leaves nothing in the heap, once it is compiled`, async (t) => {
		t.timeout(900_000);
		const config = {
			disk: {kind: 'memory', bytes: 0x1_0000},
			queues: 1,
			workers: 1,
			readOnly: false,
			packed: true,
			id: '',
		};
		const machine = await VirtioMachine.opened(virtioBlkPci as never, 'pci', config);
		const driver = new TestDriver(machine, size);
		driver.begin(features);
		prepare(driver);
		for (let chain = 0; chain < chains; chain++) {
			const type = chain % 2 === 0 ? RequestType.IN : RequestType.OUT;
			machine.memory.copyIn(headers + RequestHeader.size * chain, RequestHeader.encode({type, sector: chain}));
		}
		const place = driver.place();
		let next = 0;
		const turn = (count: number) => {
			offer(driver, place, next, count);
			next += count;
			machine.registers.notify(0);
			machine.backs.poll();
		};
		const bytesOf = (count: number) => {
			const before = process.memoryUsage().heapUsed;
			for (let index = 0; index < turns; index++) turn(count);
			return (process.memoryUsage().heapUsed - before) / turns;
		};
		// A collection takes some, the compiler leaves some: in most rounds there is neither.
		const seen: number[] = [];
		const isNothing = (bytes: number) => Math.abs(bytes) < 1;
		while (seen.length < maxRounds && seen.filter(isNothing).length < 3) {
			const few = bytesOf(1);
			seen.push((bytesOf(chains) - few) / (chains - 1));
		}
		t.is(seen.filter(isNothing).length, 3, `bytes a request: ${seen.slice(-10).join()}`);
		machine.memory.fill(statuses, chains, 0xee);
		turn(chains);
		const answers = new Uint8Array(chains);
		machine.memory.copyOut(statuses, answers);
		t.deepEqual([...answers], new Array(chains).fill(0), 'all of them are done');
		t.deepEqual(machine.failures, []);
		await machine.stop();
		await machine.dispose();
	});
