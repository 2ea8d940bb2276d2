import test from 'ava';
import {vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import {HaltWatch} from './halt-watch.ts';

type Report = {readonly activity: string; readonly registers?: {readonly rflags: bigint}};

const halted: Report = {activity: 'halted', registers: {rflags: 0x2n}};
const idle: Report = {activity: 'halted', registers: {rflags: 0x202n}};
const running: Report = {activity: 'runnable', registers: {rflags: 0x2n}};
const unstarted: Report = {activity: 'uninitialized', registers: {rflags: 0x2n}};

/** A watch over processors that answer so; `asked` resolves when it has been asked that often in all. */
function watchOf(reports: Report[], refusals = 0) {
	let asked = 0;
	const waiting: {count: number; resolve: () => void}[] = [];
	const vcpus = reports.map((_, index) => {
		const {control} = vcpuShared({buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0});
		const report = async () => {
			asked++;
			for (const {count, resolve} of waiting) if (asked >= count) resolve();
			return reports[index] as Report;
		};
		return {control, report};
	});
	const watch = new HaltWatch(vcpus, 1);
	const told = Promise.withResolvers<void>();
	let count = 0;
	watch.halted = () => {
		count++;
		told.resolve();
		return count > refusals;
	};
	const askedTimes = (times: number) => new Promise<void>((resolve) => waiting.push({count: times, resolve}));
	return {watch, vcpus, reports, told: told.promise, askedTimes, counts: () => ({told: count, asked})};
}

test('processors that have halted with interrupts off, beside others that were never started, are told once', async (t) => {
	const {watch, told, askedTimes, counts} = watchOf([halted, unstarted]);
	watch.start();
	await told;
	t.true(watch.isHalted);
	await askedTimes(12);
	t.is(counts().told, 1);
	watch.stop();
});

test('one processor that may be woken by an interrupt, or runs, is enough', async (t) => {
	for (const other of [idle, running]) {
		const {watch, askedTimes, counts} = watchOf([halted, other]);
		watch.start();
		await askedTimes(6);
		watch.stop();
		t.false(watch.isHalted);
		t.is(counts().told, 0);
	}
});

test('processors that all wait to be started are no halted machine', async (t) => {
	const {watch, askedTimes, counts} = watchOf([unstarted, unstarted]);
	watch.start();
	await askedTimes(4);
	watch.stop();
	t.is(counts().told, 0);
});

test('a processor that is woken between two answers is seen in the second', async (t) => {
	const {watch, reports, askedTimes, counts} = watchOf([halted, halted]);
	const second = askedTimes(2).then(() => {
		reports[0] = running;
	});
	watch.start();
	await second;
	await askedTimes(5);
	watch.stop();
	t.is(counts().told, 0);
});

test('a guest that makes exits is not asked', async (t) => {
	const {watch, vcpus, counts} = watchOf([halted]);
	watch.start();
	const control = vcpus[0]?.control as (typeof vcpus)[number]['control'];
	for (let look = 0; look < 30; look++) {
		control.portExits++;
		await new Promise((resolve) => setImmediate(resolve));
		const until = performance.now() + 1;
		while (performance.now() < until) control.portExits++;
	}
	t.is(counts().asked, 0);
	watch.stop();
});

test('after a reset it is told again', async (t) => {
	const {watch, told, askedTimes, counts} = watchOf([halted]);
	watch.start();
	await told;
	watch.stop();
	watch.reset();
	t.false(watch.isHalted);
	watch.start();
	await askedTimes(counts().asked + 4);
	watch.stop();
	t.is(counts().told, 2);
});

test('whoever takes no notice is told again', async (t) => {
	const {watch, askedTimes, counts} = watchOf([halted], 2);
	watch.start();
	await askedTimes(20);
	watch.stop();
	t.is(counts().told, 3);
});

test('an answer that comes when the guest has started anew says nothing of it', async (t) => {
	const {control} = vcpuShared({buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0});
	const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<Report>()];
	const report = () => {
		asked.resolve();
		return answer.promise;
	};
	const watch = new HaltWatch([{control, report}], 1);
	watch.halted = () => t.fail() as never;
	watch.start();
	await asked.promise;
	watch.stop();
	watch.reset();
	answer.resolve(halted);
	await new Promise((resolve) => setImmediate(resolve));
	t.false(watch.isHalted);
});
