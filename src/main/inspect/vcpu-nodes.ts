import {setTimeout} from 'node:timers/promises';
import {type Children, dataChildren, dataNode, type InspectNode, leaf, object} from '#support/inspect';
import type {VcpuCounters} from '#vcpu-worker/hypervisor';
import type {CpuReport} from '#vcpu-worker/probe';
import type {InspectedMachine, InspectedVcpu} from './inspected-machine.ts';
import {histogramNodes} from './latency-nodes.ts';

/** `vm/vcpus`. */
export const vcpuNodes = (inspected: InspectedMachine): Children =>
	Object.fromEntries(inspected.vcpus.map((vcpu) => [vcpu.index, object(() => vcpuChildren(vcpu, inspected))]));

function vcpuChildren(vcpu: InspectedVcpu, inspected: InspectedMachine): Children {
	const {control} = vcpu;
	const {counters} = inspected.partition;
	return {
		running: control.running === 1,
		thread: inspected.partition.threadOf(vcpu.index),
		exits: object(() => ({
			port: control.portExits,
			mmio: control.mmioExits,
			msr: control.msrExits,
			interrupted: control.interruptedExits,
			other: control.otherExits,
		})),
		...(counters !== undefined && {counters: object(() => counterNodes(() => counters(vcpu.index), control))}),
		latencies: object(() => histogramNodes([vcpu.latencies])),
		// A stopped machine has no threads that could be asked.
		...(inspected.state() !== 'stopped' && reportNodes(vcpu)),
	};
}

/** Time in which instructions are counted. */
const sampleMs = 100;

/** A processor's counters, and how fast the first one grows now. */
const counterNodes = (read: () => VcpuCounters, control: InspectedVcpu['control']): Children => ({
	...dataChildren(read()),
	instructionsPerSecond: leaf(async () => {
		if (control.running === 0) return 0;
		const [before, began] = [read().instructions, performance.now()];
		await setTimeout(sampleMs);
		return Math.round(((read().instructions - before) / (performance.now() - began)) * 1000);
	}),
});

/** Shows what only the processor's own thread can tell, asked once however many of the nodes are looked at. */
function reportNodes(vcpu: InspectedVcpu): Children {
	let asked: Promise<CpuReport> | undefined;
	const ask = async (): Promise<CpuReport> => {
		asked ??= vcpu.report();
		const report = await asked;
		if (report['error'] !== undefined) throw new Error(String(report['error']));
		return report;
	};
	// Each is there where the back end knows of it.
	const part = (name: string, sensitive = true): InspectNode =>
		object(async () => dataChildren(((await ask())[name] ?? {}) as object), {sensitive});
	return {
		activity: leaf(async () => String(dataNode((await ask())['activity']))),
		cpuid: part('cpuid', false),
		registers: part('registers'),
		events: part('events', false),
		localApic: part('localApic', false),
		debugRegisters: part('debugRegisters'),
		extendedControl: part('extendedControl', false),
		msrs: part('msrs'),
	};
}
