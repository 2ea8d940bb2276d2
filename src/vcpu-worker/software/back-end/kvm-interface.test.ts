import test from 'ava';
import {Msr} from '#vcpu-worker/registers';
import {loneMemory} from '#vcpu-worker/software/system/testing';
import {TimeStampCounter} from './counter.ts';
import {KvmInterface, scaleOf} from './kvm-interface.ts';
import {PartitionClock} from './partition-clock.ts';

const page = 0x2000;
const enabled = 1n;
const isStable = 1;
const stoodStill = 2;

/** A clock on which time can pass at once. */
class HastyClock extends PartitionClock {
	aheadNs = 0n;

	override nowNs(): bigint {
		return super.nowNs() + this.aheadNs;
	}
}

function machine() {
	const clock = new HastyClock(new SharedArrayBuffer(PartitionClock.byteLength));
	clock.begin();
	const counter = new TimeStampCounter(clock);
	const {memory, ram} = loneMemory(0x1_0000);
	return {clock, counter, view: new DataView(ram.buffer), kvm: new KvmInterface(memory, clock, counter)};
}

/** The time of a value of the counter, as a guest computes it from its page. */
function guestNs(view: DataView, counter: bigint): bigint {
	const shift = view.getInt8(page + 28);
	const ticks = counter - view.getBigUint64(page + 8, true);
	const shifted = shift < 0 ? ticks >> BigInt(-shift) : ticks << BigInt(shift);
	return view.getBigUint64(page + 16, true) + ((shifted * BigInt(view.getUint32(page + 24, true))) >> 32n);
}

test('factor and shift give nanoseconds of any frequency, to a few of 2^32 parts', (t) => {
	for (const khz of [1, 999, 1_000_000, 1_000_001, 2_899_999, 5_000_000, 2 ** 31 - 1]) {
		const {factor, shift} = scaleOf(khz);
		t.true(factor >= 2 ** 31 && factor < 2 ** 32 && shift > -32 && shift < 32, `${khz} kHz`);
		const second = (khz * 1000 * 2 ** shift * factor) / 2 ** 32;
		t.true(Math.abs(second - 1e9) < 2, `${khz} kHz: ${second}`);
	}
});

for (const khz of [1_000_000, 2_400_000, 3])
	test(`a guest reads the paravirtual clock from its counter at ${khz} kHz`, (t) => {
		const {clock, counter, view, kvm} = machine();
		counter.set(khz, 12_345n);
		clock.setKvmclock(2n ** 40n);
		t.true(kvm.write(Msr.KVM_SYSTEM_TIME_NEW, BigInt(page) | enabled));
		const later = clock.nowNs() + 10_000_000_000n;
		const wanted = clock.kvmclock(later);
		const found = guestNs(view, counter.at(later));
		const tick = BigInt(Math.ceil(1e6 / khz)) + 10n;
		t.true(found >= wanted - tick * 2n && found <= wanted + tick, `${found} for ${wanted}`);
		t.is(view.getUint8(page + 29), isStable);
	});

test('a version is odd while a page is written, even behind it, and wraps', (t) => {
	const {view, kvm} = machine();
	for (const [before, after] of [
		[0, 2],
		[2, 4],
		[7, 10],
		[0x7fff_fffe, 0x8000_0000],
		[0xffff_fffe, 0],
		[0xffff_ffff, 2],
	] as const) {
		view.setUint32(page, before, true);
		t.true(kvm.write(Msr.KVM_SYSTEM_TIME_NEW, BigInt(page) | enabled));
		t.is(view.getUint32(page, true), after);
	}
});

test('a guest that stood still is told so, and a clock that is off is not written', (t) => {
	const {view, kvm} = machine();
	kvm.write(Msr.KVM_SYSTEM_TIME_NEW, BigInt(page) | enabled);
	kvm.update(true);
	t.is(view.getUint8(page + 29), isStable | stoodStill);
	kvm.write(Msr.KVM_SYSTEM_TIME_NEW, BigInt(page));
	const version = view.getUint32(page, true);
	kvm.update(false);
	t.is(view.getUint32(page, true), version);
});

test('a guest that has taken note that it stood still is told again for a while, and no longer', (t) => {
	const {clock, view, kvm} = machine();
	kvm.write(Msr.KVM_SYSTEM_TIME_NEW, BigInt(page) | enabled);
	kvm.remind();
	t.is(view.getUint8(page + 29), isStable);
	kvm.update(true);
	const version = view.getUint32(page, true);
	for (let second = 0; second < 10; second++) {
		view.setUint8(page + 29, isStable);
		kvm.remind();
		t.is(view.getUint8(page + 29), isStable | stoodStill, `${second} s`);
		clock.aheadNs += 990_000_000n;
	}
	t.is(view.getUint32(page, true), version, 'nothing else is written');
	clock.aheadNs += 1_000_000_000n;
	view.setUint8(page + 29, isStable);
	kvm.remind();
	t.is(view.getUint8(page + 29), isStable);
});

test('the wall clock plus the paravirtual clock is the time of day, whichever is ahead', (t) => {
	const {clock, view, kvm} = machine();
	for (const ns of [0n, 5_000_000_000n, 2n ** 63n]) {
		clock.setKvmclock(ns);
		t.true(kvm.write(Msr.KVM_WALL_CLOCK_NEW, BigInt(page)));
		const [seconds, nanoseconds] = [view.getUint32(page + 4, true), view.getUint32(page + 8, true)];
		t.true(nanoseconds < 1e9);
		t.is(view.getUint32(page, true) % 2, 0);
		const now = BigInt.asUintN(64, BigInt(Date.now()) * 1_000_000n - clock.kvmclock(clock.nowNs())) / 1_000_000_000n;
		t.true(Number(BigInt.asUintN(32, now)) - seconds <= 1);
	}
});

test('no address that a guest gives its clocks is an error', (t) => {
	const {kvm} = machine();
	for (const at of [0xfff0n, 0xffffn, 0x1_0000n, 2n ** 40n, 2n ** 53n - 2n, 2n ** 64n - 1n, 3n]) {
		for (const register of [Msr.KVM_SYSTEM_TIME_NEW, Msr.KVM_WALL_CLOCK_NEW, 0x11, 0x12]) {
			t.true(kvm.write(register, at));
			t.is(kvm.read(register), at);
		}
	}
	t.is(kvm.read(0x10), undefined);
	t.false(kvm.write(0x10, 0n));
});

test('a snapshot has the registers of the clocks, and a reset clears them', (t) => {
	const {kvm} = machine();
	kvm.write(0x12, BigInt(page) | enabled);
	const saved = kvm.save();
	t.deepEqual(saved, [[Msr.KVM_SYSTEM_TIME_NEW, BigInt(page) | enabled]]);
	kvm.reset();
	t.deepEqual(kvm.save(), []);
	for (const [index, value] of saved) t.true(kvm.restore(index, value));
	t.deepEqual(kvm.save(), saved);
	kvm.reset();
	t.true(kvm.restore(0x12, BigInt(page) | enabled) && kvm.restore(0x11, 0n));
	t.deepEqual(kvm.save(), saved);
	t.false(kvm.restore(0x10, 0n));
});
