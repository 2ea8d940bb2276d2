import test from 'ava';
import type {StopReason} from '#vcpu-worker/protocol';
import {VcpuGroup} from './vcpu-group.ts';
import type {VcpuThread} from './vcpu-thread.ts';

/** Threads of which one cannot go on after the guest stood still. */
function threads(count: number, broken: number): {readonly all: VcpuThread[]; readonly runs: number[]} {
	const runs: number[] = [];
	const thread = (index: number) => ({
		index,
		failed: new Promise(() => {}),
		requestStop() {},
		allowRun() {},
		async resume(shift?: bigint) {
			if (index === broken) throw new Error(`no counter ${index}`);
			return shift ?? 7n;
		},
		async run(): Promise<StopReason> {
			runs.push(index);
			return {kind: 'requested'};
		},
	});
	return {all: Array.from({length: count}, (_, index) => thread(index) as unknown as VcpuThread), runs};
}

for (const broken of [0, 2]) {
	test(`a vCPU that cannot go on is the one that is told of, and none runs: ${broken} of 3`, async (t) => {
		const {all, runs} = threads(3, broken);
		const group = new VcpuGroup(all, () => undefined);
		const told: [number, StopReason][] = [];
		group.stopped = (vcpu, reason) => void told.push([vcpu, reason]);
		await group.start();
		await group.stop();
		t.deepEqual(runs.splice(0), [0, 1, 2], 'at power-on nothing is to be resumed');
		await group.start();
		t.is(told.length, 1);
		t.like(told, [[broken, {kind: 'failed', error: {message: `A vCPU thread failed: no counter ${broken}`}}]]);
		t.deepEqual(runs, []);
	});
}

/** Threads whose answers come when the test gives them; what they are told is in `log`. */
function drivenThreads(count: number) {
	const log: string[] = [];
	const runs = new Map<number, (reason: StopReason) => void>();
	const resumes = new Map<number, (shift: bigint) => void>();
	const thread = (index: number) => ({
		index,
		failed: new Promise(() => {}),
		requestStop: () => void log.push(`stop ${index}`),
		allowRun: () => void log.push(`allow ${index}`),
		resume(shift?: bigint) {
			log.push(`resume ${index} by ${shift}`);
			return new Promise<bigint>((resolve) => resumes.set(index, resolve));
		},
		run(plan?: unknown) {
			log.push(`run ${index}${plan === undefined ? '' : ' debugged'}`);
			return new Promise<StopReason>((resolve) => runs.set(index, resolve));
		},
	});
	const all = Array.from({length: count}, (_, index) => thread(index) as unknown as VcpuThread);
	return {all, log, runs, resumes};
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const requested: StopReason = {kind: 'requested'};

test('a vCPU that stops at once does not keep the others from starting, nor a stop from waiting for them', async (t) => {
	const {all, log, runs} = drivenThreads(3);
	const group = new VcpuGroup(all, () => undefined);
	const told: [number, StopReason['kind']][] = [];
	group.stopped = (vcpu, {kind}) => void told.push([vcpu, kind]);
	await group.start();
	runs.get(1)?.({kind: 'event'});
	await turn();
	t.deepEqual(told, [[1, 'event']]);
	t.deepEqual(log.splice(0), ['run 0', 'run 1', 'run 2']);

	let hasStopped = false;
	const stopping = group.stop().then(() => {
		hasStopped = true;
	});
	await turn();
	t.deepEqual(log.splice(0), ['stop 0', 'stop 1', 'stop 2']);
	runs.get(0)?.(requested);
	await turn();
	t.false(hasStopped);
	runs.get(2)?.(requested);
	await stopping;
	t.deepEqual(log, ['allow 0', 'allow 1', 'allow 2']);
	t.deepEqual(told, [[1, 'event']], 'those that were asked to stop are not told of');
});

test('the others’ counters follow the first one’s, and a stop meanwhile waits until all have begun', async (t) => {
	const {all, log, runs, resumes} = drivenThreads(3);
	const group = new VcpuGroup(all, () => undefined);
	await group.start();
	const first = group.stop();
	await turn();
	for (const stop of runs.values()) stop(requested);
	await first;
	log.splice(0);

	void group.start();
	const second = group.stop();
	t.deepEqual(log.splice(0), ['resume 0 by undefined']);
	resumes.get(0)?.(5n);
	await turn();
	t.deepEqual(log.splice(0), ['resume 1 by 5', 'resume 2 by 5']);
	resumes.get(2)?.(5n);
	await turn();
	t.deepEqual(log.splice(0), [], 'none runs before all counters are right');
	resumes.get(1)?.(5n);
	await turn();
	t.deepEqual(log.splice(0), ['run 0', 'run 1', 'run 2', 'stop 0', 'stop 1', 'stop 2']);
	for (const stop of runs.values()) stop(requested);
	await second;
});

test('a vCPU that the debugger holds does not run, and the others do as it says', async (t) => {
	const {all, log, runs} = drivenThreads(3);
	const step = {step: true, breakpoints: [], hardware: [], stops: []};
	const group = new VcpuGroup(all, (vcpu) => [step, 'hold' as const, undefined][vcpu]);
	const told: number[] = [];
	group.stopped = (vcpu) => void told.push(vcpu);
	await group.start();
	t.deepEqual(log, ['run 0 debugged', 'run 2']);
	runs.get(0)?.({kind: 'debug', stop: {kind: 'step'}});
	await turn();
	t.deepEqual(told, [0]);
	const stopping = group.stop();
	await turn();
	runs.get(2)?.(requested);
	await stopping;
});

test('a stop fails with the vCPU whose state nobody may see, once all stand still', async (t) => {
	const {all, log, runs} = drivenThreads(2);
	const group = new VcpuGroup(all, () => undefined);
	await group.start();
	const stopping = t.throwsAsync(group.stop(), {message: 'torn'});
	await turn();
	runs.get(0)?.({kind: 'failed', error: {code: 'X', message: 'torn', context: {}}});
	await turn();
	t.false(log.includes('allow 0'));
	runs.get(1)?.(requested);
	await stopping;
	t.deepEqual(log.slice(-2), ['allow 0', 'allow 1']);
});
