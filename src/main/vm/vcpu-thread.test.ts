import test from 'ava';
import type {VcpuPlace} from '#main/workers';
import type {CpuBackend} from '#vcpu-worker/hypervisor';
import {answerProbe} from '#vcpu-worker/probe';
import {type StopReason, VcpuCommand, vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import type {VcpuState} from '#vcpu-worker/state';
import type {VcpuWorkerData} from '#vcpu-worker/worker';
import {VcpuThread} from './vcpu-thread.ts';

const requested: StopReason = {kind: 'requested'};
const inside = {activity: 'runnable'};
const cpu = {
	readGeneral: () => ({}),
	readSpecial: () => ({}),
	details: () => inside,
} as unknown as CpuBackend;

/** A vCPU's thread whose runs the test ends, and which takes calls between them only. */
function driven(create = async () => {}) {
	const place = {buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0};
	const {probe, control} = vcpuShared(place);
	const death = Promise.withResolvers<never>();
	death.promise.catch(() => {});
	const runs: PromiseWithResolvers<StopReason>[] = [];
	let free: Promise<unknown> = Promise.resolve();
	const api = {
		create,
		restore: () => Promise.reject(new TypeError('there is no vCPU')),
		run() {
			const run = Promise.withResolvers<StopReason>();
			runs.push(run);
			free = run.promise;
			return run.promise;
		},
		async report() {
			await free;
			return {activity: 'called'};
		},
	};
	const kicks: {stop: number; commands: number}[] = [];
	const kick = () => void kicks.push({stop: control.stopRequested, commands: control.commands});
	const worker = {api, failed: death.promise} as unknown as VcpuPlace;
	const thread = new VcpuThread(worker, {index: 0, control: place, vcpu: {kind: 'fake'}} as VcpuWorkerData, {kick});
	return {thread, runs, kicks, die: death.reject, begins: () => answerProbe(probe, cpu)};
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a processor that is asked before its thread has begun the run answers when it has', async (t) => {
	const {thread, begins, runs} = driven();
	const run = thread.run();
	const answers = Promise.all([thread.report(), thread.report()]);
	await turn();
	begins();
	t.like(await answers, [inside, inside]);
	runs[0]?.resolve(requested);
	t.deepEqual(await run, requested);
	t.deepEqual(await thread.report(), {activity: 'called'});
});

test('one whose run ends without an answer is called, and asked when it runs again already', async (t) => {
	const {thread, begins, runs} = driven();
	const first = thread.run();
	const called = thread.report();
	runs[0]?.resolve(requested);
	t.deepEqual(await called, {activity: 'called'});
	await first;

	const second = thread.run();
	const answer = thread.report();
	// The third run is asked for as soon as the end of the second is known.
	void second.then(() => thread.run());
	runs[1]?.resolve(requested);
	await second;
	await turn();
	begins();
	t.like(await answer, inside);
});

test('nobody waits for the answer of a thread that has died', async (t) => {
	const {thread, die} = driven();
	const run = t.throwsAsync(thread.run(), {message: 'dead'});
	const answer = t.throwsAsync(thread.report(), {message: 'dead'});
	die(new Error('dead'));
	await Promise.all([run, answer]);
});

test('a processor that could not be made says why to whoever gave it a state meanwhile', async (t) => {
	const {thread} = driven(() => Promise.reject(new Error('no room')));
	await t.throwsAsync(thread.restore({} as VcpuState), {message: 'no room'});
	await t.throwsAsync(driven().thread.restore({} as VcpuState), {message: 'there is no vCPU'});
});

test('what a processor is kicked for is there before the kick', (t) => {
	const {thread, kicks} = driven();
	thread.nmi();
	thread.requestStop();
	thread.allowRun();
	thread.sampleExits(1);
	const commands = VcpuCommand.NMI;
	t.deepEqual(kicks, [
		{stop: 0, commands},
		{stop: 1, commands},
		{stop: 0, commands},
	]);
});
