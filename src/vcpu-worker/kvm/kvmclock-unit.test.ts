import test from 'ava';
import {VmTime, VmTimeState} from '#devices/vm-time';
import {monotonicNs} from '#support/ffi';
import {kvmclockUnit} from './kvmclock-unit.ts';

/** KVM's clock runs with the host's, whatever the machine does. */
function make() {
	const time = new VmTime(new SharedArrayBuffer(VmTimeState.byteLength));
	let ahead = 1_000_000n;
	const host = () => BigInt(monotonicNs());
	const kvm = {
		getClock: () => ({clock: host() + ahead, flags: 0, realtime: 0n, host_tsc: 0n}),
		setClock({clock = 0n}: {clock?: bigint}) {
			ahead = clock - host();
		},
	};
	const now = () => kvm.getClock().clock;
	/** The host stays up for so long while nobody looks. */
	const hostRuns = (ns: bigint) => {
		ahead += ns;
	};
	return {unit: kvmclockUnit(kvm, time), time, now, hostRuns};
}

const hourNs = 3600e9;
const near = (clock: bigint, wanted: bigint) => clock >= wanted && clock < wanted + 1_000_000_000n;

test('the clock stands still with VM time, and catches up with it', (t) => {
	const {unit, time, now, hostRuns} = make();
	time.start();
	const before = now();
	unit.stop?.();
	time.stop();
	hostRuns(BigInt(hourNs));
	time.start();
	unit.start?.();
	t.true(near(now(), before), 'it goes on where it was');
	unit.stop?.();
	time.stop();
	hostRuns(BigInt(hourNs));
	time.catchUp(2 * hourNs);
	time.start();
	unit.start?.();
	t.true(near(now(), before + BigInt(2 * hourNs)));
});

test('what is saved belongs to the VM time that is saved, and goes by VM time after a restore', (t) => {
	const first = make();
	first.time.start();
	const before = first.now();
	first.unit.stop?.();
	first.time.stop();
	first.hostRuns(BigInt(hourNs));
	const saved = first.unit.save?.();
	t.true(near(BigInt(saved as string), before));
	const second = make();
	second.time.set(first.time.nowNs());
	second.unit.restore?.(saved);
	second.time.catchUp(168 * hourNs);
	second.time.start();
	second.unit.start?.();
	t.true(near(second.now(), before + BigInt(168 * hourNs)));
});

test('a clock at the end of its 64 bits wraps', (t) => {
	const {unit, time} = make();
	unit.restore?.(String(2n ** 64n - 1n));
	time.catchUp(11);
	t.is(unit.save?.(), '10');
	for (const saved of [2n ** 64n, -1, '', 5, null, '1e3'])
		t.throws(() => unit.restore?.(typeof saved === 'bigint' ? String(saved) : saved), {code: 'STATE_FIELD_WRONG'});
});
