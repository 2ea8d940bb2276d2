/**
 * Measures what a guest of the software processor gets of a network beside the same guest in QEMU (`-accel tcg`), one processor: through the user-mode network,
 * beside QEMU's own (slirp) and passt, and by a tap interface, beside QEMU's. By iperf3 TCP and UDP both ways; by a client of ours connections and round trips
 * of a byte, and those over a socket of virtio, for which QEMU needs a kernel with vhost. What bounds all is the guest's kernel, which software executes. Aim:
 * 0.8 of slirp's rate, then passt's. It runs in a name space of its own, where there is a tap interface without rights on the host.
 */
import {type ChildProcess, execFileSync, spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {createServer, type Server} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {bytesContent, FileTree} from '#main/file-tree';
import {packCpio} from '#main/images';
import {gather} from '#main/tar';
import {findProgram} from '#test/incubator';
import {stockFiles} from '#test/stock-kernels';
import {type BenchGuest, GuestProcess, patience, peer, processorMs, sleep} from './guest-process.ts';
import {compileProgram} from './guest-programs.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 3);
/** Of each job, and before its rate counts: until then the guest and its program are new to both. */
const [seconds, rampSeconds] = [5, 5];
const [iperfPort, echoPort, vsockPort] = [5201, 5202, 5203];
/** Titles of groups, where it is not to be all. */
const chosen = process.env['OPENVMM_BENCH_WORK']?.split(',');
const tap = 'ovm0';
const inNameSpace = 'OPENVMM_BENCH_NAME_SPACE';

type Jobs = Readonly<Record<string, Job>>;
/** A job: what runs in the guest for so many seconds and prints numbers, and what they count. */
interface Job {
	readonly unit: string;
	line(seconds: number): string;
	count(numbers: readonly number[]): number;
}
/** The receiver tells its rate: what of it was lost is not in it. */
const iperf = (words: string): Job => ({
	unit: 'Mbit',
	line: (time) => `iperf3 -c 10.0.0.1 -f k -t ${time} ${words} | grep receiver | grep -o '[0-9.]* Kbits'`,
	count: ([rate = 0]) => (rate * seconds) / 1000,
});
const client = (unit: string, words: string): Job => ({
	unit,
	line: (time) => `network ${words} ${time}`,
	count: ([count = 0]) => count,
});
/** Without a rate the host's end would take a processor for what nobody can receive. */
const offered = '200M';

const networkJobs: Jobs = {
	'TCP out of the guest': iperf(''),
	'TCP into the guest': iperf('-R'),
	'UDP out of the guest': iperf('-u -b 0 -l 1460'),
	[`UDP into the guest, ${offered}bit/s offered`]: iperf(`-u -b ${offered} -l 1460 -R`),
	'TCP connections': client('connections', `connections tcp 10.0.0.1 ${echoPort}`),
	'TCP round trips': client('round trips', `trips tcp 10.0.0.1 ${echoPort}`),
};
const vsockJobs: Jobs = {'vsock round trips': client('round trips', `trips vsock 2 ${vsockPort}`)};

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const [initrd, passtSocket, vsock] = ['initrd', 'passt.sock', 'vsock'].map((name) => join(folder, name)) as [
	string,
	string,
	string,
];
const user = {by: 'user', ports: [iperfPort, echoPort]} as const;

/** Guests by their NICs, and the machines that have them. */
const groups: readonly {
	readonly title: string;
	readonly jobs: Jobs;
	readonly base?: string;
	readonly machines: readonly ({readonly name: string; readonly who: string} & Pick<BenchGuest, 'nic' | 'vsock'>)[];
}[] = [
	{
		title: 'user-mode network',
		jobs: networkJobs,
		base: 'slirp',
		machines: [
			{name: 'slirp', who: peer, nic: user},
			...(findProgram('passt') === undefined
				? []
				: [{name: 'passt', who: peer, nic: {by: 'passt', socket: passtSocket} as const}]),
			{name: 'openvmm', who: 'openvmm', nic: user},
		],
	},
	{
		title: 'tap',
		jobs: networkJobs,
		base: peer,
		machines: [peer, 'openvmm'].map((who) => ({name: who, who, nic: {by: 'tap', name: tap}})),
	},
	{title: 'vsock', jobs: vsockJobs, machines: [{name: 'openvmm', who: 'openvmm', vsock}]},
];

/** The test guests' file system with iperf3 as it is on this host, our client and a script. */
async function writeInitrd(jobs: Jobs): Promise<void> {
	const tree = new FileTree(0);
	const program = findProgram('iperf3');
	if (program === undefined) throw new Error('iperf3 is missing: apt-get install iperf3');
	const libraries = execFileSync('ldd', [program], {encoding: 'utf8'}).match(/\/\S+/g) ?? [];
	for (const path of [program, ...libraries]) tree.addFile(path, bytesContent(readFileSync(path)), 0o755);
	tree.addFile('/usr/bin/network', bytesContent(readFileSync(compileProgram(folder, 'network'))), 0o755);
	const script = [
		'modprobe -a virtio_pci virtio_mmio virtio_net vmw_vsock_virtio_transport; ip link set lo up',
		...(jobs === networkJobs
			? [
					'nic=; until nic=$(ls /sys/class/net | grep -v lo); do sleep 0.1; done',
					'ip addr add 10.0.0.2/24 dev $nic; ip link set $nic up; ip route add default via 10.0.0.1',
				]
			: []),
		...Object.values(jobs).map(
			({line}, index) =>
				`${line(rampSeconds)} >/dev/null; echo begin-${index}-; echo "end-${index} $(${line(seconds)} | tr '\\n' ' ')"-`,
		),
	];
	tree.addFile('/script', bytesContent(`${script.join('\n')}\n`));
	writeFileSync(initrd, Buffer.concat([readFileSync(stockFiles('cloud').initrd), await gather(packCpio(tree))]));
}

/** What a job gave: by the time that it ran, and by the processor time that its machine took, a second each. */
interface Sample {
	readonly time: number;
	readonly 'processor time': number;
}

/** Samples of all jobs in one guest. */
async function measure({jobs, machines}: (typeof groups)[number], index: number): Promise<readonly Sample[]> {
	const {name, who, ...devices} = machines[index] as (typeof machines)[number];
	const passt = devices.nic?.by === 'passt' ? await startPasst() : undefined;
	const guest = new GuestProcess(who, {
		...{kernel: stockFiles('cloud').kernel, initrd, memoryMib: 512, processors: 1, ...devices},
		words: `console=ttyS0 quiet cryptomgr.notests OPENVMM_RUN="sh /script" ${patience}`,
	});
	const cpuMs = () => guest.cpuMs() + (passt === undefined ? 0 : processorMs(passt.pid));
	try {
		const samples: Sample[] = [];
		for (const [job, {count}] of Object.values(jobs).entries()) {
			await guest.said(`begin-${job}-`);
			const beforeMs = cpuMs();
			const {text} = await guest.said(new RegExp(`end-${job} [^\\r\\n]*-\\r?\\n`));
			const counted = count(text.split(' ').slice(1).map(Number.parseFloat));
			if (!(counted > 0)) throw new Error(`The guest of ${name} says: ${text}`);
			samples.push({time: counted / seconds, 'processor time': (counted * 1000) / (cpuMs() - beforeMs)});
		}
		return samples;
	} finally {
		await guest.kill();
		passt?.kill('SIGKILL');
		rmSync(passtSocket, {force: true});
	}
}

/** It gives a guest the host's own addresses unless it is told others. */
async function startPasst(): Promise<ChildProcess> {
	const words = [
		'-f',
		'-q',
		'-s',
		passtSocket,
		'-a',
		'10.0.0.2',
		'-n',
		'24',
		'-g',
		'10.0.0.1',
		'-4',
		'-i',
		tap,
		'--runas',
		'0:0',
	];
	const passt = spawn('passt', words, {stdio: 'ignore'});
	while (!existsSync(passtSocket)) await sleep(50);
	return passt;
}

const listen = (server: Server, at: number | string): Promise<Server> =>
	new Promise((resolve) => void server.listen(at as number, () => resolve(server)));
const echoServer = () =>
	createServer({noDelay: true}, (socket) => void socket.on('error', () => socket.destroy()).pipe(socket));

async function main(): Promise<void> {
	for (const words of [
		'link set lo up',
		`tuntap add dev ${tap} mode tap`,
		`addr add 10.0.0.1/24 dev ${tap}`,
		`link set ${tap} up`,
	])
		execFileSync('ip', words.split(' '));
	const servers = await Promise.all([listen(echoServer(), echoPort), listen(echoServer(), `${vsock}_${vsockPort}`)]);
	const iperfServer = spawn('iperf3', ['-s', '-p', `${iperfPort}`], {stdio: 'ignore'});
	await once(iperfServer, 'spawn');
	try {
		for (const group of groups.filter(({title}) => chosen?.includes(title) ?? true)) {
			await writeInitrd(group.jobs);
			const samples = group.machines.map(() => Object.keys(group.jobs).map(() => [] as Sample[]));
			for (let round = 0; round < rounds; round++)
				for (const [index, each] of samples.entries())
					for (const [job, figure] of (await measure(group, index)).entries()) each[job]?.push(figure);
			for (const [job, [what, {unit}]] of Object.entries(group.jobs).entries())
				for (const clock of ['time', 'processor time'] as const) {
					const figures = group.machines.map(({name}, index) => ({
						...{name, unit: `${unit} a second`},
						samples: (samples[index]?.[job] ?? []).map((sample) => sample[clock]),
					}));
					report(`${group.title}: ${what}, by ${clock}`, figures, group.base);
				}
		}
	} finally {
		iperfServer.kill();
		for (const server of servers) server.close();
	}
}

try {
	if (process.env[inNameSpace] !== undefined) await main();
	else {
		const words = ['-Urn', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
		process.exitCode =
			spawnSync('unshare', words, {stdio: 'inherit', env: {...process.env, [inNameSpace]: '1'}}).status ?? 1;
	}
} finally {
	rmSync(folder, {recursive: true, force: true});
}
