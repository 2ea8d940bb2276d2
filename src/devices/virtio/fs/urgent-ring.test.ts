import test from 'ava';
import {UrgentRing, urgentRoom} from './urgent-ring.ts';

const ringOn = (memory: SharedArrayBuffer) => new UrgentRing(memory, 4096);
const memoryOf = () => new SharedArrayBuffer(4096 + UrgentRing.bytes);

function taken(ring: UrgentRing): [bigint, bigint][] {
	const messages: [bigint, bigint][] = [];
	ring.takeAll((subject, count) => messages.push([subject, count]));
	return messages;
}

test('messages come in their order, as often as the ring goes round, and no more than there is room for', (t) => {
	const memory = memoryOf();
	const [putter, taker] = [ringOn(memory), ringOn(memory)];
	for (let round = 0; round < 5; round++) {
		for (let message = 0; message < 3000; message++) putter.put(BigInt(message), BigInt(round));
		t.is(putter.room, urgentRoom - 3000);
		const messages = taken(taker);
		t.is(messages.length, 3000);
		t.true(messages.every(([subject, count], index) => subject === BigInt(index) && count === BigInt(round)));
	}
	t.is(putter.room, urgentRoom);
	t.false(taker.takeHeld());
	putter.hold();
	t.true(taker.takeHeld());
	t.false(taker.takeHeld(), 'it is told once');
	putter.put(1n, 1n);
	putter.clear();
	t.deepEqual(taken(taker), []);
});

test('indices of anybody\u2019s snapshot are a bounded number of messages', (t) => {
	for (const [head, tail] of [
		[0, -1],
		[5, 4],
		[2 ** 31 - 1, -(2 ** 31) + 10],
		[-3, 3],
	] as const) {
		const memory = memoryOf();
		new Int32Array(memory, 4096, 2).set([head, tail]);
		const ring = ringOn(memory);
		t.true(ring.room >= 0 && ring.room <= urgentRoom);
		t.is(taken(ring).length, Math.min((tail - head) >>> 0, urgentRoom));
	}
});
