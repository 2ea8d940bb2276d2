import type {SplitInterrupts} from '#devices/chipset/split-interrupts';
import type {GuestMemory} from '#devices/guest-memory';
import type {MachineEvents} from '#devices/machine';
import {errorTable} from '#support/errors';
import type {CpuBackend, ExitKind} from '#vcpu-worker/hypervisor';
import {type ExitSampler, now} from '#vcpu-worker/latency';
import {answerProbe, type VcpuProbeView} from '#vcpu-worker/probe';
import {type StopReason, VcpuCommand, VcpuControl, type VcpuControlView} from '#vcpu-worker/protocol';
import {answerSample, type VcpuSampleView} from '#vcpu-worker/sampling';

/**
 * Gives the PIC's interrupt to the boot processor when it can take one, and else asks to be told when it can. Called before
 * each entry.
 */
function offerPicInterrupt(cpu: CpuBackend, chips: SplitInterrupts): void {
	if (chips.extInt && cpu.readyForInterrupt) cpu.interrupt(chips.acknowledge());
	cpu.requestInterruptWindow(chips.extInt);
}

/** Means that a vCPU's thread runs on. */
export interface VcpuContext {
	readonly cpu: CpuBackend;
	readonly events: MachineEvents;
	readonly control: VcpuControlView;
	readonly probe: VcpuProbeView;
	readonly sample: VcpuSampleView;
	/** All of RAM. */
	readonly memory: GuestMemory;
	readonly sampler: ExitSampler;
	/** The interrupt controllers, where they are devices of ours. */
	readonly split: SplitInterrupts | undefined;
	/** The PIC's interrupts come to the boot processor. */
	readonly isBoot: boolean;
}

const stopWord = VcpuControl.word('stopRequested');
const commandsWord = VcpuControl.word('commands');
const runningWord = VcpuControl.word('running');

/** An instruction's access has fewer parts than this; a back end that never gets done is broken. */
const maxParts = 4096;

const runError = errorTable({
	VCPU_ACCESS_ENDLESS: (c: {parts: number}) => ({
		message: `A vCPU's last access is not complete after ${c.parts} parts: it cannot be stopped between two instructions`,
		remedy: 'This is a bug in openvmm: please report it with what the guest did',
	}),
});

/** The processor waits for a kick and leaves its thread to others meanwhile: run it again when the kick has come. */
export interface Parked {
	readonly kind: 'parked';
}

/**
 * Runs one vCPU until it is asked to stop, the guest asks the machine for something, or it cannot go on. When it
 * returns the last exit is complete: registers are consistent and nothing is in flight.
 */
export function runVcpu(context: VcpuContext): StopReason | Parked {
	const {cpu, control, probe} = context;
	// A kick that comes before this line has set stopRequested before; one that comes later ends the first run.
	cpu.clearKick();
	Atomics.store(control.$atomic, runningWord, 1);
	attend(context);
	try {
		const reason = loop(context);
		return reason.kind === 'failed' || reason.kind === 'parked' ? reason : (completeExit(context) ?? reason);
	} finally {
		Atomics.store(control.$atomic, runningWord, 0);
		// An asker who comes later is told that the run has ended, and calls the thread.
		answerProbe(probe, cpu);
	}
}

function loop(context: VcpuContext): StopReason | Parked {
	const {cpu, events, control, split, isBoot, sampler} = context;
	const words = control.$atomic;
	const pic = isBoot ? split : undefined;
	for (;;) {
		if (Atomics.load(words, stopWord) !== 0) return {kind: 'requested'};
		if (events.pending) return {kind: 'event'};
		if (pic !== undefined) offerPicInterrupt(cpu, pic);
		const timed = sampler.due();
		const entered = timed ? now() : 0;
		const exit = cpu.run();
		const left = timed ? now() : 0;
		const end = endOf(exit, cpu);
		if (end !== undefined) return end;
		if (exit === 'parked') return {kind: 'parked'};
		if (exit === 'debug') {
			const stop = cpu.takeDebugExit();
			if (stop !== undefined) return {kind: 'debug', stop};
			continue;
		}
		serve(exit, context);
		if (timed) sampler.record(exit, entered, left, now());
		// Whoever kicks wants something.
		if (exit === 'interrupted') attend(context);
	}
}

/** Gives the stop reason of an exit after which the processor cannot go on. */
function endOf(exit: ExitKind, cpu: CpuBackend): StopReason | undefined {
	if (exit === 'failed') return {kind: 'failed', error: cpu.failure()};
	return exit === 'shutdown' ? {kind: 'crash', reason: 'triple fault'} : undefined;
}

/** Does what the processor has been commanded to. Also before its state is saved: it may never run again here. */
export function takeCommands({cpu, control}: Pick<VcpuContext, 'cpu' | 'control'>): void {
	const commands = Atomics.exchange(control.$atomic, commandsWord, 0);
	if ((commands & VcpuCommand.NMI) !== 0) cpu.nmi();
}

/** Does what is asked of the thread by other means than a stop. */
function attend(context: VcpuContext): void {
	const {cpu, probe, sample, memory, sampler} = context;
	takeCommands(context);
	answerProbe(probe, cpu);
	answerSample(sample, cpu, memory);
	sampler.refresh();
}

/** Returns what the completed access has led to: a debugger's stop, such as the end of a step, or the processor's end. */
function completeExit(context: VcpuContext): StopReason | undefined {
	const {cpu} = context;
	let stopped: StopReason | undefined;
	for (let part = 0; part < maxParts; part++) {
		const exit = cpu.completeExit();
		if (exit === 'interrupted') return stopped;
		const end = endOf(exit, cpu);
		if (end !== undefined) return end;
		if (exit !== 'debug') serve(exit, context);
		else {
			const stop = cpu.takeDebugExit();
			if (stop !== undefined) stopped = {kind: 'debug', stop};
		}
	}
	// Its registers are those amid an instruction: nobody may take them for the guest's.
	return {kind: 'failed', error: runError('VCPU_ACCESS_ENDLESS', {parts: maxParts}).toData()};
}

function serve(exit: ExitKind, {cpu, events, control}: VcpuContext): void {
	switch (exit) {
		case 'port':
			control.portExits++;
			cpu.serve();
			break;
		case 'mmio':
			control.mmioExits++;
			cpu.serve();
			break;
		case 'msr':
			control.msrExits++;
			cpu.serve();
			break;
		case 'eoi':
		case 'hypercall':
		case 'intercept':
			cpu.serve();
			break;
		case 'interrupted':
			control.interruptedExits++;
			break;
		case 'reset':
		case 'power-off':
			events.request({kind: exit});
			break;
		default:
			control.otherExits++;
	}
}
