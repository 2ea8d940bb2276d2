/**
 * The user-mode network with a driver of frames in place of a guest, on one thread as they are on a device worker, against libslirp that a driver in C
 * drives the same way, on one thread as in QEMU. At the other end is a server in C on the host's loopback, in a process of its own. Ours is given
 * what Linux has by virtio-net, checksums and cutting left to the NIC, and once frames as they are on a link with an MTU of 1500; libslirp what QEMU
 * gives it, an MTU of 1500 and no offloads, and a large MTU, which QEMU has not: with 65520 its window, once closed, stays so. Needs no KVM, `cc`,
 * and libslirp, which QEMU brings.
 */
import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {reactorClock} from '#devices/network/user';
import {EpollReactor} from '#support/reactor';
import {FrameDriver} from './frame-driver.ts';
import {report} from './report.ts';

/** They compile, and are not counted. */
const firstRounds = 2;
const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 7);
const MiB = 2 ** 20;
const largeMtu = 16_384;
/** What both can do, and how much of it a sample is. */
const amounts = {download: 192 * MiB, upload: 192 * MiB, packets: 20_000, connections: 1000, roundTrips: 3000};
type Workload = keyof typeof amounts;
const wanted = (process.env['OPENVMM_BENCH_ONLY'] ?? Object.keys(amounts).join()).split(',') as Workload[];

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));

function compile(name: string): string {
	const program = join(folder, name);
	execFileSync('cc', ['-O2', '-o', program, join(process.cwd(), `test/bench/peer/${name}.c`), '-ldl']);
	return program;
}

const server = spawn(compile('loopback-server'), {stdio: ['pipe', 'pipe', 'inherit']});
const [said] = await once(server.stdout, 'data');
const [source = 0, sink = 0, echo = 0, datagrams = 0] = String(said).trim().split(' ').map(Number);
const ports: Readonly<Record<Workload, number>> = {
	download: source,
	upload: sink,
	packets: datagrams,
	connections: sink,
	roundTrips: echo,
};
const slirpProgram = compile('slirp-driver');

/** Seconds that something takes, by the clock and of the processor: on a host that others use too the second says more. */
interface Taken {
	readonly seconds: number;
	readonly processor: number;
}

function slirp(workload: Workload, mtu: number): Taken {
	const words = [workload, `${ports[workload]}`, `${amounts[workload]}`, `${mtu}`];
	const [seconds = Number.NaN, processor = Number.NaN] = execFileSync(slirpProgram, words, {encoding: 'latin1'})
		.split(' ')
		.map(Number);
	return {seconds, processor};
}

const reactor = new EpollReactor();
const running = reactor.run();
const clock = reactorClock(reactor);
const drivers = [true, false].map((offloads) => new FrameDriver(clock, {offloads}));

async function ours(workload: Workload, driver: FrameDriver): Promise<Taken> {
	const [port, amount] = [ports[workload], amounts[workload]];
	const [begin, before] = [process.hrtime.bigint(), process.cpuUsage()];
	if (workload === 'download') await driver.download(port, amount);
	else if (workload === 'upload') await driver.upload(port, amount);
	else if (workload === 'connections') await driver.connections(port, amount);
	else if (workload === 'roundTrips') await driver.roundTrips(port, amount);
	else await driver.datagrams(port, amount);
	const {user, system} = process.cpuUsage(before);
	return {seconds: Number(process.hrtime.bigint() - begin) / 1e9, processor: (user + system) / 1e6};
}

const peer = 'libslirp, MTU 1500';
const [offloading, plain] = drivers as [FrameDriver, FrameDriver];
const subjects: readonly [name: string, run: (workload: Workload) => Taken | Promise<Taken>][] = [
	[peer, (workload) => slirp(workload, 1500)],
	[`libslirp, MTU ${largeMtu}`, (workload) => slirp(workload, largeMtu)],
	['ours, offloads', (workload) => ours(workload, offloading)],
	['ours, MTU 1500', (workload) => ours(workload, plain)],
];
/** Where frames are small anyhow an MTU says nothing. */
const isStream = (workload: Workload): boolean => workload === 'download' || workload === 'upload';

const [rates, costs] = [new Map<string, number[]>(), new Map<string, number[]>()];
for (let round = -firstRounds; round < rounds; round++) {
	for (const workload of wanted)
		for (const [name, run] of subjects) {
			if (name.includes(`${largeMtu}`) && !isStream(workload)) continue;
			const {seconds, processor} = await run(workload);
			const key = `${workload} ${name}`;
			if (round < 0) continue;
			rates.set(key, [...(rates.get(key) ?? []), amounts[workload] / seconds]);
			costs.set(key, [...(costs.get(key) ?? []), (processor * 1e6) / amounts[workload]]);
		}
}
for (const driver of drivers) await driver.dispose();
reactor.close();
await running;
server.stdin.end();
rmSync(folder, {recursive: true});

const rows: Readonly<Record<Workload, {readonly title: string; readonly unit: string; readonly one: number}>> = {
	download: {title: 'TCP to the guest', unit: 'MiB/s', one: MiB},
	upload: {title: 'TCP from the guest', unit: 'MiB/s', one: MiB},
	packets: {title: 'Datagrams of 1200 bytes there and back, 64 under way', unit: '/s', one: 1},
	connections: {title: 'Connections opened and ended, 8 under way', unit: '/s', one: 1},
	roundTrips: {title: 'Round trips of a byte', unit: '/s', one: 1},
};
for (const workload of wanted) {
	const {title, unit, one} = rows[workload];
	const figuresOf = (samples: ReadonlyMap<string, number[]>, ofOne: (sample: number) => number, its: string) =>
		subjects.flatMap(([name]) => {
			const found = samples.get(`${workload} ${name}`);
			return found === undefined ? [] : [{name, unit: its, samples: found.map(ofOne)}];
		});
	report(
		title,
		figuresOf(rates, (rate) => rate / one, unit),
		peer,
	);
	report(
		`${title}: time of the processor for one`,
		figuresOf(costs, (cost) => cost * one, 'µs'),
		peer,
	);
}
