import test from 'ava';
import {latchKind} from '#devices/chipset/latch';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {oneThreadMachine} from '#devices/testing';
import type {DebugStop} from '#vcpu-worker/debug';
import {
	FakeVcpu,
	type Guest,
	type GuestScript,
	type GuestStep,
	PageGuards,
	rdmsr,
	readPort,
	type VcpuMoment,
	writePort,
} from '#vcpu-worker/hypervisor/testing';
import {ExitSampler} from '#vcpu-worker/latency';
import {unknownMsrs} from '#vcpu-worker/msr-policy';
import {ProbeAsker} from '#vcpu-worker/probe';
import {type StopReason, VcpuControl, vcpuShared, vcpuSharedBytes} from '#vcpu-worker/protocol';
import {type Parked, runVcpu} from './run-vcpu.ts';

const port = 0x500;
const stopWord = VcpuControl.word('stopRequested');

/** A processor with a script and a run loop, beside a register at a port. */
function processor(script: GuestScript) {
	const {machine, bus} = oneThreadMachine([{name: 'latch', kind: latchKind, config: {port}}]);
	const {control, probe, latencies, sample} = vcpuShared({
		buffer: new SharedArrayBuffer(vcpuSharedBytes),
		byteOffset: 0,
	});
	const state = {moment: (_moment: VcpuMoment) => {}};
	const cpu = new FakeVcpu(
		{
			index: 0,
			cpuid: [],
			script,
			regions: [],
			guards: new PageGuards(),
			stored() {},
			startOther() {},
			now: () => 0,
			moment: (moment) => state.moment(moment),
		},
		{
			bus,
			msrs: machine.msrs(unknownMsrs),
			hypercalls: machine.hypercalls(),
			memory: new MappedMemory(plainMemory()),
			began: () => 0,
			served: () => false,
			connect: () => ({}),
			endOfInterrupt() {},
		},
	);
	const memory = new MappedMemory(plainMemory());
	const context = {cpu, events: machine.events, control, probe, sample, memory, split: undefined, isBoot: true};
	return {
		cpu,
		control,
		state,
		events: machine.events,
		asker: new ProbeAsker(probe, () => cpu.kick()),
		run: () => runVcpu({...context, sampler: new ExitSampler(latencies)}),
		/** Asks for a stop as the machine's owner does. */
		requestStop() {
			Atomics.store(control.$atomic, stopWord, 1);
			cpu.kick();
		},
		allowRun: () => void Atomics.store(control.$atomic, stopWord, 0),
		accesses: () => machine.devices[0]?.state as unknown as {readonly reads: number; readonly writes: number},
	};
}

const does = (...steps: GuestStep[]): GuestScript =>
	function* () {
		for (const step of steps) yield step;
	};

const parked: Parked = {kind: 'parked'};
const requested: StopReason = {kind: 'requested'};
const error = {code: 'FAKE_FAILED', message: 'The script says so', context: {}};
const breakpoint: DebugStop = {kind: 'breakpoint'};

const ends: Readonly<Record<string, {step: GuestStep; reason: StopReason | Parked}>> = {
	'a port': {step: readPort(port, 4), reason: parked},
	'memory outside RAM': {step: {exit: 'mmio', serve: ({bus}) => bus.readMmio(0xd000_0000, 4)}, reason: parked},
	'a model-specific register': {step: rdmsr(0x4000_0000), reason: parked},
	'the end of an interrupt': {step: {exit: 'eoi'}, reason: parked},
	'a kick': {step: {exit: 'interrupted'}, reason: parked},
	'a triple fault': {step: {exit: 'shutdown'}, reason: {kind: 'crash', reason: 'triple fault'}},
	'a breakpoint': {step: {exit: 'debug', stop: breakpoint}, reason: {kind: 'debug', stop: breakpoint}},
	'an exception of its own': {step: {exit: 'debug'}, reason: parked},
	'a reset': {step: {exit: 'reset'}, reason: {kind: 'event'}},
	'a power-off': {step: {exit: 'power-off'}, reason: {kind: 'event'}},
	'a failure': {step: {exit: 'failed', error}, reason: {kind: 'failed', error}},
	'a failure to complete an access': {
		step: {exit: 'reset', parts: ['failed'], error},
		reason: {kind: 'failed', error},
	},
	'a triple fault amid an access': {
		step: {exit: 'reset', parts: ['port', 'shutdown']},
		reason: {kind: 'crash', reason: 'triple fault'},
	},
};

for (const [name, {step, reason}] of Object.entries(ends)) {
	test(`what an exit for ${name} leads to`, (t) => {
		const {run, control} = processor(does(step));
		t.deepEqual(run(), reason);
		t.is(control.running, 0);
	});
}

test('what a device throws is not caught here, and the thread takes calls again', (t) => {
	const serve = () => {
		throw new Error('a bug');
	};
	const {run, control} = processor(does({exit: 'port', serve}));
	t.throws(run, {message: 'a bug'});
	t.is(control.running, 0);
});

test('a stop comes when the last access is complete, of which every part is served', (t) => {
	let served = 0;
	const serve = () => ++served;
	const {run, state, requestStop, cpu} = processor(does({exit: 'port', serve, parts: ['port', 'port', 'mmio']}));
	state.moment = (moment) => {
		if (moment === 'left') requestStop();
	};
	t.deepEqual(run(), requested);
	t.is(served, 4);
	t.is(cpu.steps, 1);
});

test('an access without an end is a failure that says so', (t) => {
	function* parts() {
		for (;;) yield 'port' as const;
	}
	const {run, state, requestStop} = processor(does({exit: 'port', parts: parts()}));
	state.moment = (moment) => {
		if (moment === 'left') requestStop();
	};
	t.like(run(), {kind: 'failed', error: {code: 'VCPU_ACCESS_ENDLESS', context: {parts: 4096}}});
});

test('a failure to run ends the run at once, with nothing to complete', (t) => {
	const moments: VcpuMoment[] = [];
	const {run, state} = processor(does({exit: 'failed'}));
	state.moment = (moment) => void moments.push(moment);
	run();
	t.false(moments.includes('complete'));
});

/** Moments at which kicks come, and whether an access is under way then. */
const moments: readonly [VcpuMoment, boolean][] = [
	['clear kick', false],
	['kick cleared', false],
	['run', false],
	['left', true],
	['serve', true],
];

/** Three accesses, of which each is to be made once. */
function* threeWrites(): Guest {
	for (let value = 1; value <= 3; value++) yield writePort(port, 4, value);
}

/** Turns of a moment while the three accesses are made. */
const occurrences = [1, 2, 3];

for (const [moment, isAmid] of moments) {
	test(`a stop that is asked for at the moment "${moment}" ends the run, and loses and repeats no access`, (t) => {
		for (const occurrence of occurrences) {
			const {run, state, requestStop, allowRun, accesses, cpu, control} = processor(threeWrites);
			let seen = 0;
			state.moment = (now) => {
				if (now === moment && ++seen === occurrence) requestStop();
			};
			const first = run();
			// Kicks are cleared once a run.
			if (seen < occurrence) continue;
			t.deepEqual(first, requested);
			const made = accesses().writes;
			t.is(cpu.steps, made, 'the last access is complete');
			t.is(made, isAmid ? occurrence : occurrence - 1, 'no further one was made');
			t.deepEqual(run(), requested, 'for as long as it is wanted');
			t.is(accesses().writes, made);
			allowRun();
			t.deepEqual(run(), parked);
			t.is(accesses().writes, 3);
			t.is(control.running, 0);
		}
	});

	test(`whoever asks at the moment "${moment}" what the processor does is answered, and the guest runs on`, async (t) => {
		const {run, state, asker, accesses} = processor(threeWrites);
		let answer: Promise<unknown> | undefined;
		state.moment = (now) => {
			if (now === moment) answer ??= asker.ask(new Promise(() => {}));
		};
		t.deepEqual(run(), parked);
		t.like(await answer, {activity: 'runnable'});
		t.is(accesses().writes, 3);
	});

	test(`a guest's wish at the moment "${moment}" ends the run`, (t) => {
		const {run, state, events, accesses, cpu} = processor(threeWrites);
		state.moment = (now) => {
			if (now !== moment || events.pending) return;
			events.request({kind: 'power-off'});
			cpu.kick();
		};
		t.deepEqual(run(), {kind: 'event'});
		t.is(cpu.steps, accesses().writes);
	});
}

test('kicks and wishes while a stop completes the last access are seen to by the next run', async (t) => {
	const {run, state, requestStop, allowRun, cpu, asker, accesses} = processor(threeWrites);
	let answer: Promise<unknown> | undefined;
	state.moment = (moment) => {
		if (moment === 'left' && answer === undefined) requestStop();
		if (moment === 'complete') answer = asker.ask(new Promise(() => {}));
	};
	t.deepEqual(run(), requested);
	t.like(await answer, {activity: 'runnable'});
	t.is(cpu.steps, 1);
	allowRun();
	t.deepEqual(run(), parked);
	t.is(accesses().writes, 3);
});
