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
