import {execFileSync} from 'node:child_process';
import {join} from 'node:path';
import {stockFiles} from '#test/stock-kernels';
import {type BenchGuest, both, GuestProcess, patience, peer} from './guest-process.ts';
import {type Work, type WorkProgram, writeWorkInitrd} from './guest-programs.ts';
import {median, report} from './report.ts';

/** Work of Linux's programs to measure. */
export interface LinuxWork {
	readonly title: string;
	readonly programs: readonly WorkProgram[];
	/** A folder of its own. */
	readonly folder: string;
	/** What QEMU's processor is, where it is not to be the one that it takes by itself. */
	readonly peerCpu?: string;
}

/** Work to measure in guests of several machines, each of which says when it begins and ends a piece. */
export interface GuestWork {
	readonly title: string;
	readonly works: readonly Work[];
	readonly guest: BenchGuest;
	/** Machines, by their names. */
	readonly machines: readonly string[];
	/** What figures are held against: one of them. */
	readonly peer: string;
	/** What does the same work on this host. */
	readonly programs: readonly WorkProgram[];
}

/** What a piece of work took, in milliseconds. */
interface Sample {
	/** By the clock of the guest, or of whoever did it. */
	readonly time: number;
	/** Of all threads of the process that the machine is, or of the program on the host. */
	readonly 'processor time': number;
	/** By the clock of this host, where the guest has one of its own. */
	readonly host: number;
}

/** Samples by who worked and by the work's name; what a processor lacks in place of them. */
type Samples = Readonly<Record<string, Record<string, Sample[] | string>>>;

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
/** Names of the works to do, where it is not to be all. */
const chosen = process.env['OPENVMM_BENCH_WORK']?.split(',');
/** How many times as long a piece of work is: how much of a figure is the time until code is hot. */
const length = Number(process.env['OPENVMM_BENCH_LENGTH'] ?? 1);
const native = 'native';
/** The host is so much faster that one sample takes more work. */
const moreOnHost = 5;
/** A guest's clock is wrong when it is further than this from the host's. */
const most = {share: 0.1, ms: 50};

/** Measures work in a guest of QEMU's (`-accel tcg`), in one of the software processor, and natively on this host. */
export async function benchLinuxWork({title, programs: all, folder, peerCpu}: LinuxWork): Promise<void> {
	const isChosen = ({name}: Work) => chosen?.includes(name) ?? true;
	const longer = (work: Work) => ({...work, times: work.times * length});
	const programs = all.map((program) => ({...program, works: program.works.filter(isChosen).map(longer)}));
	const initrd = join(folder, 'initrd.cpio');
	const script = await writeWorkInitrd(initrd, programs);
	const words = `console=ttyS0 quiet panic=-1 cryptomgr.notests ${patience} OPENVMM_RUN="sh ${script}"`;
	const cpu = peerCpu === undefined ? {} : {peerCpu};
	const guest = {kernel: stockFiles('cloud').kernel, initrd, words, memoryMib: 512, processors: 1, ...cpu};
	const works = programs.flatMap((each) => each.works);
	if (works.length === 0) return;
	await benchWork({title, works, guest, machines: both, peer, programs});
}

/**
 * Measures work in turn. It prints speeds by the time that passes and by processor time, each as a ratio to the peer's, and the geometric means
 * of the ratios.
 */
export async function benchWork({title, works, guest, machines, peer: base, programs}: GuestWork): Promise<void> {
	const samples: Samples = Object.fromEntries(
		[...machines, ...(programs.length > 0 ? [native] : [])].map((who) => [who, {}]),
	);
	const add = (who: string, {name}: Work, sample: Sample | string) => {
		const all = samples[who] as (typeof samples)[string];
		const before = all[name];
		all[name] = typeof sample === 'string' ? sample : [...(Array.isArray(before) ? before : []), sample];
	};
	for (let round = 0; round < rounds; round++) {
		for (const who of machines) {
			const machine = new GuestProcess(who, guest);
			try {
				for (const work of works) add(who, work, await inGuest(machine, work));
			} finally {
				await machine.kill();
			}
		}
		for (const program of programs) for (const work of program.works) add(native, work, onHost(program, work));
	}
	checkClocks(samples);
	reportAll(title, works, samples, base);
}

/** What a program says of its work in the end. */
const endOf = ({name}: Work): RegExp => new RegExp(`work ${name} (ends|lacks|failed)[^\\n]*\\n`);

/** Waits until the guest has done the work. @returns what it took, or what the processor lacks */
async function inGuest(guest: GuestProcess, work: Work): Promise<Sample | string> {
	const begin = await guest.said(new RegExp(`work ${work.name} (begins|lacks)`));
	const cpuMs = guest.cpuMs();
	const end = await guest.said(endOf(work));
	const taken = takenBy(work, end.text);
	if (typeof taken === 'string') return taken;
	const host = end.atMs - begin.atMs;
	return {time: taken.ms ?? host, 'processor time': guest.cpuMs() - cpuMs, host};
}

function onHost({words: [program, ...others]}: WorkProgram, work: Work): Sample | string {
	const output = execFileSync(program, [...others, work.name, `${work.times * moreOnHost}`], {encoding: 'latin1'});
	const taken = takenBy(work, output);
	if (typeof taken === 'string') return taken;
	const {ms = Number.NaN, cpuMs = Number.NaN} = taken;
	return {time: ms / moreOnHost, 'processor time': cpuMs / moreOnHost, host: ms / moreOnHost};
}

/** What work took by clocks of its own, if it has some, or what the processor lacks. @throws when its answer is wrong */
function takenBy(work: Work, said: string): {readonly ms?: number; readonly cpuMs?: number} | string {
	const [, lacks, answer, ns, cpuNs] =
		new RegExp(`work ${work.name} (?:lacks (.*?)\\r?\\n|ends (\\d+)(?: (\\d+) (\\d+))?)`).exec(said) ?? [];
	if (lacks !== undefined) return lacks;
	if (Number(answer) !== work.answer) throw new Error(`${work.name} is to give ${work.answer}, and not: ${said}`);
	return ns === undefined ? {} : {ms: Number(ns) / 1e6, cpuMs: Number(cpuNs) / 1e6};
}

/** Says when a guest's clock does not go as the host's does: speeds by it would be wrong. */
function checkClocks(samples: Samples): void {
	for (const [who, all] of Object.entries(samples))
		for (const [name, each] of Object.entries(all)) {
			if (typeof each === 'string') continue;
			const [time, host] = [median(each.map((one) => one.time)), median(each.map((one) => one.host))];
			if (Math.abs(time - host) <= most.share * host + most.ms) continue;
			console.error(`${name} took ${time.toFixed()} ms by the clock of ${who}, and ${host.toFixed()} ms by the host's`);
			process.exitCode = 1;
		}
}

function reportAll(title: string, works: readonly Work[], samples: Samples, base: string): void {
	for (const clock of ['time', 'processor time'] as const) {
		/** How often a second, of each sample. */
		const speeds = (who: string, {name, times, counts}: Work): number[] => {
			const all = samples[who]?.[name];
			const count = times * (counts?.each ?? 1);
			return Array.isArray(all) ? all.map((sample) => (count * 1000) / sample[clock]) : [];
		};
		const able = (work: Work) => Object.keys(samples).filter((who) => speeds(who, work).length > 0);
		for (const work of works) {
			const unit = `${work.counts?.what ?? 'times'} a second`;
			const figures = able(work).map((who) => ({name: who, unit, samples: speeds(who, work)}));
			report(`${title}: ${work.name}, by ${clock}`, figures, base);
		}
		for (const who of Object.keys(samples).filter((each) => each !== base)) {
			const ratios = works
				.filter((work) => able(work).includes(who) && able(work).includes(base))
				.map((work) => {
					const ofPeer = speeds(base, work);
					return {
						name: work.name,
						unit: '×',
						samples: speeds(who, work).map((speed, index) => speed / (ofPeer[index] as number)),
					};
				});
			if (ratios.length === 0) continue;
			const mean = Math.exp(ratios.reduce((sum, each) => sum + Math.log(median(each.samples)), 0) / ratios.length);
			const all = [...ratios, {name: 'geometric mean', unit: '×', samples: [mean]}];
			report(`${title}: speed of ${who} beside ${base}'s, by ${clock}`, all);
		}
	}
	for (const [who, all] of Object.entries(samples))
		for (const [name, lacks] of Object.entries(all))
			if (typeof lacks === 'string')
				console.log(`${title}: ${name} needs ${lacks}, which the processor of ${who} lacks`);
}
