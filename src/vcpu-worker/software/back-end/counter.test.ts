import test from 'ava';
import {TimeStampCounter} from './counter.ts';
import {PartitionClock} from './partition-clock.ts';

/** A clock that stands where it is put. */
class StillClock extends PartitionClock {
	at = 5_000_000_000n;

	constructor() {
		super(new SharedArrayBuffer(PartitionClock.byteLength));
		this.begin();
	}

	override nowNs(): bigint {
		return this.at;
	}
}

/** 64 bits less one. */
const last = 2n ** 64n - 1n;

test('counters begin at 0 with the machine and are in step, whenever their processors are made', (t) => {
	const clock = new StillClock();
	const first = new TimeStampCounter(clock);
	t.is(first.counter(), 0n);
	clock.at += 1234n;
	const second = new TimeStampCounter(clock);
	t.deepEqual([first.counter(), second.counter()], [1234n, 1234n]);
	t.is(first.offset, second.offset);
});

test('a counter has the frequency and value that are set, wraps at 64 bits and never goes back', (t) => {
	const clock = new StillClock();
	const counter = new TimeStampCounter(clock);
	counter.set(2_400_000, last - 10n);
	let before = counter.counter();
	t.is(before, last - 10n);
	clock.at += 1000n;
	t.is(counter.counter(), BigInt.asUintN(64, last - 10n + 2400n));
	counter.set(3, 0n);
	before = 0n;
	for (let step = 0; step < 1000; step++) {
		clock.at += 777n;
		t.true(counter.counter() >= before);
		before = counter.counter();
	}
	t.true(before === 2n || before === 3n, `${before}`);
	counter.move(-5n);
	t.is(counter.counter(), BigInt.asUintN(64, before - 5n));
});

test('the time of a value is the first moment that the counter has it, and now where it is past', (t) => {
	const clock = new StillClock();
	const counter = new TimeStampCounter(clock);
	for (const khz of [1, 999_999, 1_000_000, 2_400_001, 2 ** 31 - 1]) {
		for (const value of [0n, 2n ** 63n, last - 10n ** 12n]) {
			counter.set(khz, value);
			const wanted = value + 12_345n;
			const time = counter.timeOf(wanted);
			t.true(counter.at(time) >= wanted, `${khz} kHz from ${value}`);
			t.true(counter.at(time - 1n) < wanted, `${khz} kHz from ${value}`);
			clock.at += 1000n;
			for (const past of [value, value / 2n, 1n])
				if (past < counter.counter()) t.is(counter.timeOf(past), clock.at, `${khz} kHz, ${past} is past`);
		}
	}
});
