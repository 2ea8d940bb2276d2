import test from 'ava';
import {VmTime, VmTimeState} from '#devices/vm-time';
import {maxVmTimeNs, TimeUnit} from './time-unit.ts';

const baseTimeMs = Date.UTC(2026, 10, 1);
const dayMs = 86_400e3;
const dayNs = dayMs * 1e6;

/** A unit over real VM time and a host clock that the test sets. */
function make(snapshotMs?: number) {
	const host = {nowMs: baseTimeMs};
	const time = new VmTime(new SharedArrayBuffer(VmTimeState.byteLength));
	const origins = {baseTimeMs, realMs: () => host.nowMs, ...(snapshotMs !== undefined && {snapshotMs})};
	const unit = new TimeUnit(time, origins);
	/** Gives the time that a device shows which follows real time, as long as VM time stands still. */
	const wallMs = () => baseTimeMs + time.lagMs + time.nowNs() / 1e6;
	/** Starts and stops; what little time passes meanwhile is taken off again. */
	const startAndStop = () => {
		unit.start();
		unit.stop();
	};
	return {unit, time, host, wallMs, startAndStop};
}

const near = (value: number, wanted: number) => Math.abs(value - wanted) < 1e9;

test('clocks go on where they were unless told to catch up, and then by the real time that has passed, once', (t) => {
	const {unit, time, host, startAndStop} = make();
	host.nowMs += dayMs;
	startAndStop();
	t.true(near(time.nowNs(), 0));
	host.nowMs += 2 * dayMs;
	unit.choose('catch-up');
	startAndStop();
	t.true(near(time.nowNs(), 2 * dayNs));
	t.true(near(time.ranNs(), 0));
	host.nowMs += 4 * dayMs;
	startAndStop();
	t.true(near(time.nowNs(), 2 * dayNs));
});

test('real time is known to devices after every start, whatever the guest’s clocks do', (t) => {
	const {unit, host, wallMs, startAndStop} = make();
	for (const policy of ['continue', 'catch-up', 'continue'] as const) {
		host.nowMs += dayMs;
		unit.choose(policy);
		startAndStop();
		t.true(Math.abs(wallMs() - host.nowMs) < 1000);
	}
	host.nowMs -= 10 * dayMs;
	startAndStop();
	t.true(Math.abs(wallMs() - host.nowMs) < 1000, 'the host’s clock was set back');
});

test('a host clock that was set back, and a snapshot from the future, are no time at all', (t) => {
	const {unit, time, host, startAndStop} = make();
	unit.restore({nowNs: 3 * dayNs, caughtUpNs: 0, stoppedAtMs: host.nowMs + 30 * dayMs});
	unit.choose('catch-up');
	startAndStop();
	t.true(near(time.nowNs(), 3 * dayNs));
	t.true(near(time.ranNs(), 3 * dayNs));
	unit.restore({nowNs: 3 * dayNs, caughtUpNs: 0, stoppedAtMs: 8.64e15});
	unit.choose('catch-up');
	startAndStop();
	t.true(near(time.nowNs(), 3 * dayNs));
});

test('a snapshot that is too old to catch up with is refused, and can go on where it was', (t) => {
	const {unit, time, startAndStop} = make();
	for (const saved of [
		{nowNs: 0, caughtUpNs: 0, stoppedAtMs: 0},
		{nowNs: maxVmTimeNs, caughtUpNs: 0, stoppedAtMs: baseTimeMs - 1},
	]) {
		unit.restore(saved);
		const error = t.throws(() => unit.choose('catch-up'), {code: 'VM_CLOCK_TOO_FAR'});
		t.true(error?.message.includes(new Date(saved.stoppedAtMs).toISOString()), error?.message);
		startAndStop();
		t.true(near(time.nowNs(), saved.nowNs));
		t.true(near(time.ranNs(), saved.nowNs));
	}
	t.throws(() => unit.choose('sideways' as 'continue'), {code: 'CONFIG_VALUE_INVALID'});
});

test('what is saved is when time stood still, not when it was saved, and comes back in another process', (t) => {
	const first = make();
	first.unit.choose('catch-up');
	first.host.nowMs += dayMs;
	first.startAndStop();
	const stoppedAtMs = first.host.nowMs;
	first.host.nowMs += 5 * dayMs;
	const saved = JSON.parse(JSON.stringify(first.unit.save())) as ReturnType<TimeUnit['save']>;
	t.is(saved.stoppedAtMs, stoppedAtMs);
	t.is(saved.caughtUpNs, dayNs);
	const second = make();
	second.host.nowMs = first.host.nowMs;
	second.unit.restore(saved);
	t.is(second.time.nowNs(), first.time.nowNs());
	t.is(second.time.ranNs(), first.time.ranNs());
	second.unit.choose('catch-up');
	second.startAndStop();
	t.true(near(second.time.nowNs(), 6 * dayNs));
});

test('a snapshot of before this was saved has VM time alone, and its manifest says when', (t) => {
	const {unit, time, host, startAndStop} = make(baseTimeMs - 3 * dayMs);
	host.nowMs = baseTimeMs;
	unit.restore(5 * dayNs);
	unit.choose('catch-up');
	startAndStop();
	t.true(near(time.nowNs(), 8 * dayNs));
	t.throws(() => make(Number.NaN).unit.restore(5), {code: 'STATE_FIELD_WRONG'});
	t.throws(() => make().unit.restore(5), {code: 'STATE_FIELD_WRONG'});
});

const right = {nowNs: 10, caughtUpNs: 5, stoppedAtMs: baseTimeMs};
const wrongTimes: unknown[] = [
	...[undefined, null, 'text', true, [], {}, -1, Number.NaN, 2 ** 63],
	...[-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 63, '10', null].flatMap((value) => [
		{...right, nowNs: value},
		{...right, caughtUpNs: value},
		{...right, stoppedAtMs: value},
	]),
	{...right, caughtUpNs: 11},
	{nowNs: 10, caughtUpNs: 5},
];

for (const [index, saved] of wrongTimes.entries()) {
	test(`a made-up time is refused: number ${index}, ${JSON.stringify(saved)}`, (t) => {
		const {unit, time} = make(baseTimeMs);
		t.throws(() => unit.restore(saved), {code: 'STATE_FIELD_WRONG', message: /time/});
		t.is(time.nowNs(), 0);
	});
}
