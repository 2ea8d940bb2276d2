import {existsSync, writeFileSync} from 'node:fs';
import {cpus, release} from 'node:os';
import {kvmKind} from '#vcpu-worker/kvm';

/** The middle value; the mean of the two middle ones of an even count. */
export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const middle = sorted.length / 2;
	return ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle) - 1] ?? Number.NaN)) / 2;
}

/** A figure of a report: its samples are kept whole in the raw numbers. */
export interface Figure {
	readonly name: string;
	readonly unit: string;
	readonly samples: readonly number[];
}

/** The machine that the numbers were taken on; without it they mean nothing. */
const machine = {
	cpu: cpus()[0]?.model,
	cpus: cpus().length,
	kernel: release(),
	kvm: existsSync('/dev/kvm') ? kvmKind() : 'none',
	node: process.version,
	incubator: process.env['OPENVMM_INCUBATOR'] !== undefined,
};

/** All reports of this process. */
const reports: object[] = [];

/** A figure as it is printed: with three digits at least. */
const digits = (value: number): string => value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0);

/** Prints a report, as medians and as a ratio to the peer, and keeps the raw numbers where the runner wants them. */
export function report(title: string, figures: readonly Figure[], peer?: string): void {
	const base = figures.find(({name}) => name === peer);
	const host = machine.incubator ? 'incubator (emulated)' : 'host';
	console.log(`${title} — ${host}, KVM ${machine.kvm}, ${machine.cpus} CPUs, Node ${machine.node}`);
	const width = Math.max(...figures.map(({name}) => name.length));
	for (const {name, unit, samples} of figures) {
		const value = median(samples);
		const spread = `${digits(Math.min(...samples))}–${digits(Math.max(...samples))}`;
		const ratio = base === undefined || name === peer ? '' : `  ${(value / median(base.samples)).toFixed(2)} × ${peer}`;
		console.log(`  ${name.padEnd(width)}  ${digits(value)} ${unit} (${spread}, ${samples.length} samples)${ratio}`);
	}
	reports.push({title, date: new Date(), machine, figures});
	const output = process.env['OPENVMM_BENCH_OUTPUT'];
	if (output !== undefined) writeFileSync(output, JSON.stringify(reports, null, '\t'));
}
