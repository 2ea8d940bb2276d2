import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {unchecked} from '#support/trust';
import {type Chain, PackedFlag, VirtQueue} from './index.ts';

const WRITE = 2;
const size = 4;
const [descriptors, driver, device] = [0x1000, 0x2000, 0x3000];

/** A queue with so many chains of the driver's, all of which the device has. */
function make(count: number, packed = false, bytes = 16) {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10000 + bytes}));
	for (let index = 0; index < count; index++) {
		memory.writeU64(descriptors + 16 * index, 0x8000);
		memory.writeU32(descriptors + 16 * index + 8, bytes);
		memory.writeU16(descriptors + 16 * index + 12, packed ? index : WRITE);
		if (packed) memory.writeU16(descriptors + 16 * index + 14, WRITE | PackedFlag.AVAILABLE);
		memory.writeU16(driver + 4 + 2 * index, index);
	}
	memory.writeU16(driver + 2, count);
	const deferred: (() => void)[] = [];
	const told = {times: 0};
	const queue = new VirtQueue({
		memory,
		place: {size, descriptors, driver, device},
		progress: {available: 0, used: 0},
		...{eventIndex: false, indirect: false, packed, inOrder: false},
		isOn: () => true,
		interrupt: () => void told.times++,
		defer: (action) => void deferred.push(action),
		emptied() {},
		broken: (fault) => {
			throw new Error(fault);
		},
	});
	const chains = Array.from({length: count}, () => queue.next() as Chain);
	const endTurn = () => {
		for (const action of deferred.splice(0)) action();
	};
	/** As a driver counts them. */
	const used = (): number => {
		if (!packed) return unchecked(memory.readU16(device + 2)) as number;
		const isUsed = (index: number) =>
			(unchecked(memory.readU16(descriptors + 16 * index + 14)) as number) >= PackedFlag.USED;
		const first = [0, 1, 2, 3].findIndex((index) => index >= count || !isUsed(index));
		return first < 0 ? 4 : first;
	};
	return {memory, queue, chains, told, endTurn, used};
}

for (const packed of [false, true])
	test(`a driver of a ${packed ? 'packed' : 'split'} queue sees what is completed together, and is told of it once, at the end of the turn`, (t) => {
		const {queue, chains, told, endTurn, used} = make(4, packed);
		for (const chain of chains.slice(0, 3)) queue.complete(chain, 1);
		t.deepEqual([used(), told.times], [0, 0]);
		endTurn();
		t.deepEqual([used(), told.times], [3, 1]);
		endTurn();
		t.deepEqual([used(), told.times], [3, 1]);
		queue.complete(chains[3] as Chain, 1);
		t.deepEqual([used(), told.times], [4, 2], 'at once where nothing else is in flight');
	});

for (const packed of [false, true])
	test(`what is completed before a ${packed ? 'packed' : 'split'} queue is served is seen with it, and no later`, (t) => {
		const {queue, chains, told, endTurn, used} = make(4, packed);
		queue.complete(chains[0] as Chain, 1);
		t.is(used(), 0);
		queue.serve(() => {});
		t.deepEqual([used(), told.times], [1, 1]);
		queue.complete(chains[1] as Chain, 1);
		queue.serve(() => {
			queue.complete(chains[2] as Chain, 1);
			t.is(used(), 3);
		});
		endTurn();
		t.deepEqual([used(), told.times], [3, 2]);
	});

for (const bytes of [1, 2 ** 21 - 1, 2 ** 21, 2 ** 22 + 5])
	test(`a driver sees which chain has ${bytes} bytes`, (t) => {
		const {memory, queue, chains} = make(2, false, bytes);
		for (const chain of chains) queue.complete(chain, bytes);
		const words = [4, 8, 12, 16].map((at) => unchecked(memory.readU32(device + at)));
		t.deepEqual(words, [0, bytes, 1, bytes]);
	});

test('behind the last chain in flight nothing is waited for, and what was to be told is told with it', (t) => {
	const {queue, chains, told, endTurn} = make(2);
	for (const chain of chains) queue.complete(chain, 1);
	t.is(told.times, 1);
	endTurn();
	t.is(told.times, 1);
});

test('a queue that is closed within a turn tells its driver before, as a snapshot has no turn that goes on', (t) => {
	const {queue, chains, told, endTurn, used} = make(2);
	queue.complete(chains[0] as Chain, 1);
	queue.close();
	t.deepEqual([used(), told.times], [1, 1]);
	endTurn();
	t.is(told.times, 1);
});
