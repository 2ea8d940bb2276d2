/**
 * Measures what a cache of translations could save: boots of Debian's cloud kernel to user space and off again, one after the other in this
 * process, each twice with the same features. The second one finds the translations of the first, and V8's machine code of them, which no disk
 * could keep; the first one finds those of other features, which it cannot use. All else is warm for both.
 */
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {stockFiles} from '#test/stock-kernels';
import {nowMs} from './guest-process.ts';
import {report} from './report.ts';

/** No more than there are features to hide. */
const rounds = Math.min(Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5), 7);
/** They have V8 optimise the program and the interpreter. */
const warmUpRounds = 2;
/** Features of which a boot uses none. */
const unused = ['adx', 'clwb', 'movbe', 'rdpid'];
const none = 'translations of other features';
const all = 'translations of the same boot';

/** The features that a round hides: other ones each time. */
const hiddenIn = (round: number): string[] => unused.filter((_, index) => ((round >> index) & 1) === 1);

/** Wall and processor time of a machine from its making to its end, in milliseconds. */
async function boot(processors: number, hidden: readonly string[]): Promise<readonly [wallMs: number, cpuMs: number]> {
	const config = vmConfig({
		processors: {count: processors},
		cpu: {without: hidden},
		memory: {sizeBytes: 512 * 2 ** 20},
		boot: {
			...{kind: 'linux', ...stockFiles('cloud'), defaultWords: false},
			commandLine: ['console=ttyS0', 'quiet', 'panic=-1', 'openvmm.test=report', 'cryptomgr.notests'],
		},
		devices: [],
		hypervisor: 'software',
	});
	const [startMs, start] = [nowMs(), process.cpuUsage()];
	const vm = await createVm(config, {start: true});
	const end = await vm.ended;
	const {user, system} = process.cpuUsage(start);
	const taken = [nowMs() - startMs, (user + system) / 1000] as const;
	await vm.stop();
	if (end.kind !== 'power-off') throw new Error(`The guest did not get to its end: ${JSON.stringify(end)}`);
	return taken;
}

let round = 0;
for (const processors of [1, 4]) {
	for (let warmUp = 0; warmUp < warmUpRounds; warmUp++) await boot(processors, hiddenIn(0));
	const samples = [none, all].map((name) => ({name, wall: [] as number[], cpu: [] as number[]}));
	for (const last = round + rounds; round < last; ) {
		const hidden = hiddenIn(++round);
		for (const {wall, cpu} of samples) {
			const [wallMs, cpuMs] = await boot(processors, hidden);
			wall.push(wallMs);
			cpu.push(cpuMs);
		}
	}
	const title = `Boot of Debian's cloud kernel in a process that is warm, ${processors} processors`;
	const figures = (kind: 'wall' | 'cpu') => samples.map((each) => ({name: each.name, unit: 'ms', samples: each[kind]}));
	report(title, figures('wall'), none);
	report(`${title}: processor time`, figures('cpu'), none);
}
process.exit(0);
