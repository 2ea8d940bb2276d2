import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {type Chain, VirtQueue} from './index.ts';

const WRITE = 2;
const size = 4;
const [descriptors, driver, device] = [0x1000, 0x2000, 0x3000];

/** A split queue with so many chains of the driver's, all of which the device has. */
function make(count: number) {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x10000}));
	for (let index = 0; index < count; index++) {
		memory.writeU64(descriptors + 16 * index, 0x8000);
		memory.writeU32(descriptors + 16 * index + 8, 16);
		memory.writeU16(descriptors + 16 * index + 12, WRITE);
		memory.writeU16(driver + 4 + 2 * index, index);
	}
	memory.writeU16(driver + 2, count);
	const deferred: (() => void)[] = [];
	const told = {times: 0};
	const queue = new VirtQueue({
		memory,
		place: {size, descriptors, driver, device},
		progress: {available: 0, used: 0},
		...{eventIndex: false, indirect: false, packed: false, inOrder: false},
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
	return {queue, chains, told, endTurn, used: () => memory.readU16(device + 2) as unknown};
}

test('a driver sees what is completed at once, and is told of it once at the end of the turn', (t) => {
	const {queue, chains, told, endTurn, used} = make(4);
	for (const chain of chains.slice(0, 3)) queue.complete(chain, 1);
	t.is(used(), 3);
	t.is(told.times, 0);
	endTurn();
	t.is(told.times, 1);
	endTurn();
	t.is(told.times, 1);
});

test('behind the last chain in flight nothing is waited for, and what was to be told is told with it', (t) => {
	const {queue, chains, told, endTurn} = make(2);
	for (const chain of chains) queue.complete(chain, 1);
	t.is(told.times, 1);
	endTurn();
	t.is(told.times, 1);
});

test('a queue that is closed within a turn tells its driver before, as a snapshot has no turn that goes on', (t) => {
	const {queue, chains, told, endTurn} = make(2);
	queue.complete(chains[0] as Chain, 1);
	queue.close();
	t.is(told.times, 1);
	endTurn();
	t.is(told.times, 1);
});
