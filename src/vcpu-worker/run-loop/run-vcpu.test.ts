import test from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {oneThreadMachine} from '#devices/testing';
import type {CpuBackend, ExitKind} from '#vcpu-worker/hypervisor';
import {ExitSampler} from '#vcpu-worker/latency';
import {VcpuControl, vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import {runVcpu} from './run-vcpu.ts';

const port = 0x500;

/** Runs a processor that exits for these reasons in turn, then is asked to stop, and completes for those. */
function run(exits: readonly ExitKind[], completions: (part: number) => ExitKind) {
	const {control, probe, latencies} = vcpuShared({buffer: new SharedArrayBuffer(vcpuSharedBytes), byteOffset: 0});
	const {machine, bus} = oneThreadMachine([{name: 'latch', kind: latchKind, config: {port}, route: 'shared'}]);
	const answers: number[] = [];
	let entries = 0;
	let parts = 0;
	const cpu: Partial<CpuBackend> = {
		clearKick() {},
		run() {
			const exit = exits[entries++];
			if (entries >= exits.length) Atomics.store(control.$atomic, VcpuControl.word('stopRequested'), 1);
			return exit ?? 'interrupted';
		},
		completeExit: () => completions(parts++),
		failure: () => ({code: 'KVM_RUN_FAILED', message: 'KVM_RUN failed with EFAULT', context: {}}),
		serve: () => void answers.push(bus.readPort(port, 1)),
	};
	const reason = runVcpu({
		cpu: cpu as CpuBackend,
		events: machine.events,
		control,
		probe,
		sampler: new ExitSampler(latencies),
		split: undefined,
		isBoot: true,
	});
	return {reason, answers, parts, control};
}

test('a stop that was asked for comes when the last access is complete', (t) => {
	const {reason, answers, parts} = run(['port', 'port'], (part) => (part < 2 ? 'port' : 'interrupted'));

	t.deepEqual(reason, {kind: 'requested'});
	t.is(parts, 3);
	t.is(answers.length, 4, 'every part was served');
});

test('an access that cannot be completed is a failure of the vCPU, not a stop', (t) => {
	const {reason, parts, control} = run(['port'], () => 'failed');

	t.deepEqual(reason, {
		kind: 'failed',
		error: {code: 'KVM_RUN_FAILED', message: 'KVM_RUN failed with EFAULT', context: {}},
	});
	t.is(parts, 1);
	t.is(control.running, 0);
});

test('an access without an end is a failure that says so', (t) => {
	const {reason} = run(['port'], () => 'port');

	t.like(reason, {kind: 'failed', error: {code: 'VCPU_ACCESS_ENDLESS', context: {parts: 4096}}});
});

test('a triple fault during completion is a crash', (t) => {
	t.deepEqual(run(['port'], () => 'shutdown').reason, {kind: 'crash', reason: 'triple fault'});
});

test('a failure to run ends the run at once, with nothing to complete', (t) => {
	const {reason, parts} = run(['failed', 'port'], () => 'interrupted');

	t.is(reason.kind, 'failed');
	t.is(parts, 0);
});
