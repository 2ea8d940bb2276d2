import type {IoBus} from '#devices/io-bus';
import type {MachineEvents} from '#devices/machine';
import type {CpuBackend} from '#vcpu-worker/backend';
import {answerMsr} from '#vcpu-worker/msr-policy';
import {type StopReason, VcpuControl, type VcpuControlView} from '#vcpu-worker/protocol';
import {serveMmio, servePort} from './serve-exit.ts';

/** What a vCPU's thread runs on. */
export interface VcpuContext {
	readonly cpu: CpuBackend;
	readonly bus: IoBus;
	readonly events: MachineEvents;
	readonly control: VcpuControlView;
}

const stopWord = VcpuControl.word('stopRequested');
const runningWord = VcpuControl.word('running');

/**
 * Runs one vCPU until it is asked to stop, the guest asks the machine for something, or it cannot go on. When it
 * returns the last exit is complete: registers are consistent and nothing is in flight.
 */
export function runVcpu(context: VcpuContext): StopReason {
	const {cpu, control} = context;
	// A kick that comes before this line has set stopRequested before; one that comes later ends the first run.
	cpu.clearKick();
	Atomics.store(control.$atomic, runningWord, 1);
	try {
		const reason = loop(context);
		if (reason.kind !== 'failed') cpu.completeExit();
		return reason;
	} finally {
		Atomics.store(control.$atomic, runningWord, 0);
		Atomics.notify(control.$atomic, runningWord);
	}
}

function loop({cpu, bus, events, control}: VcpuContext): StopReason {
	const words = control.$atomic;
	for (;;) {
		if (Atomics.load(words, stopWord) !== 0) return {kind: 'requested'};
		if (events.pending) return {kind: 'event'};
		switch (cpu.run()) {
			case 'port':
				control.portExits++;
				servePort(cpu.port, bus);
				break;
			case 'mmio':
				control.mmioExits++;
				serveMmio(cpu.mmio, bus);
				break;
			case 'msr':
				control.msrExits++;
				cpu.msr.answer(answerMsr(cpu.msr.index, cpu.msr.isWrite, cpu.msr.value));
				break;
			case 'interrupted':
				control.interruptedExits++;
				break;
			case 'shutdown':
				return {kind: 'crash', reason: 'triple fault'};
			case 'reset':
				events.request({kind: 'reset'});
				break;
			case 'power-off':
				events.request({kind: 'power-off'});
				break;
			case 'failed':
				return {kind: 'failed', error: cpu.failure()};
			case 'halt':
			case 'eoi':
				control.otherExits++;
				break;
		}
	}
}
