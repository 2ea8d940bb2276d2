import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

/** A guest that the software processor and QEMU's TCG run: the same kernel, initial file system, words, RAM and processors. */
export interface BenchGuest {
	readonly kernel: string;
	readonly initrd?: string;
	readonly words: string;
	readonly memoryMib: number;
	readonly processors: number;
	/** Files that virtio disks have their data in, by the disks' serial numbers; the first is `/dev/vda`. */
	readonly disks?: Readonly<Record<string, string>>;
	/** The same of disks on NVMe, each with a controller of its own. */
	readonly nvme?: Readonly<Record<string, string>>;
	/** A directory of the host's, which the guest mounts by the tag `host`. */
	readonly folder?: SharedFolder;
	/** A NIC on PCI Express, whose guest is 10.0.0.2 and whose host is 10.0.0.1. */
	readonly nic?: BenchNic;
	/** Of our machine: beginning of the paths of Unix sockets that the guest's connections to its host lead to. */
	readonly vsock?: string;
	/** What QEMU's processor is, where it is not to be the one that it takes by itself. */
	readonly peerCpu?: string;
}

/** A directory, and by what it is shared. */
export interface SharedFolder {
	readonly by: '9p' | 'virtio-fs';
	readonly path: string;
	/** Socket of QEMU's server of virtio-fs, which is a process of its own. */
	readonly socket: string;
}

/** What carries a NIC's frames: the machine's own user-mode network, passt's for a machine that is QEMU's, or an interface of the host's. */
export type BenchNic =
	| {
			readonly by: 'user';
			/** Ports of the host's loopback that the guest is to reach at its host, by TCP and UDP. */
			readonly ports: readonly number[];
	  }
	| {readonly by: 'passt'; readonly socket: string}
	| {readonly by: 'tap'; readonly name: string};

/** Words with which a guest on a busy host takes no timer for broken: on KVM's interface Linux does not look. */
export const patience = 'no_timer_check';

/** What figures are held against. */
export const peer = 'QEMU TCG';

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
/** Nothing that a busy host needs so long for is alive. */
const limitMs = 2 * 3600_000;
/** What our processor is to have, as `--cpu` takes it, where that is not what it has by itself. */
const ownCpu = process.env['OPENVMM_BENCH_CPU'];

const initrdOf = ({initrd}: BenchGuest, flag: string): string[] => (initrd === undefined ? [] : [flag, initrd]);

/** Boots multiboot kernels, without disks and initial file systems. */
const v86Program = join(process.cwd(), 'test/bench/peer/v86.mjs');

/** Disks of both kinds behind ports of PCI Express: QEMU's own, and ours. */
const peerDisks = ({disks = {}, nvme = {}}: BenchGuest): string[] =>
	[...entriesOf('virtio-blk-pci', disks), ...entriesOf('nvme', nvme)].flatMap(([device, serial, file]) => [
		...['-drive', `file=${file},if=none,id=${serial},format=raw`],
		...['-device', `${device},drive=${serial},serial=${serial}`],
	]);
const ownDisks = ({disks = {}, nvme = {}}: BenchGuest): string[] => [
	...['--pcie-root-complex', 'rc0'],
	...[...Object.keys(disks), ...Object.keys(nvme)].flatMap((serial) => ['--pcie-root-port', `rc0:${portOf(serial)}`]),
	...Object.entries(disks).flatMap(([serial, file]) => [
		'--virtio-blk',
		`file:${file};format=raw,pcie_port=${portOf(serial)},serial=${serial}`,
	]),
	...Object.entries(nvme).flatMap(([serial, file]) => [
		...['--nvme-pci', `id=${serial},pcie_port=${portOf(serial)}`, '--disk', `file:${file};format=raw,on=${serial}`],
	]),
];
/** Its own 9P; its server of virtio-fs has to have the guest's RAM. */
function peerFolder({folder, memoryMib}: BenchGuest): string[] {
	if (folder === undefined) return [];
	if (folder.by === '9p') return ['-virtfs', `local,path=${folder.path},mount_tag=host,security_model=none`];
	return [
		...['-object', `memory-backend-memfd,id=ram,size=${memoryMib}M,share=on`, '-numa', 'node,memdev=ram'],
		...['-chardev', `socket,id=fs,path=${folder.socket}`, '-device', 'vhost-user-fs-pci,chardev=fs,tag=host'],
	];
}
/** Its own slirp leads to the host's loopback by itself, as passt does. */
function peerNic({nic}: BenchGuest): string[] {
	if (nic === undefined) return [];
	return ['-netdev', `${peerCarrier(nic)},id=net`, '-device', 'virtio-net-pci,netdev=net'];
}
function peerCarrier(nic: BenchNic): string {
	if (nic.by === 'user') return 'user,net=10.0.0.0/24,host=10.0.0.1';
	if (nic.by === 'passt') return `stream,server=off,addr.type=unix,addr.path=${nic.socket}`;
	return `tap,ifname=${nic.name},script=no,downscript=no`;
}
function ownNic({nic}: BenchGuest): string[] {
	if (nic === undefined) return [];
	const forwards = (ports: readonly number[]) =>
		ports.flatMap((port) => ['tcp', 'udp'].map((protocol) => `,guestfwd=${protocol}::${port}-127.0.0.1:${port}`));
	if (nic.by === 'passt') throw new TypeError('passt is for machines of QEMU');
	const carrier = nic.by === 'tap' ? `tap:${nic.name}` : `consomme:10.0.0.0/24${forwards(nic.ports).join('')}`;
	return [
		...['--pcie-root-complex', 'net', '--pcie-root-port', 'net:nic-port'],
		...['--virtio-net', `pcie_port=nic-port:${carrier}`],
	];
}
/** A controller has the name of its disk. */
const portOf = (serial: string) => `${serial}-port`;
const entriesOf = (device: string, disks: Readonly<Record<string, string>>) =>
	Object.entries(disks).map(([serial, file]) => [device, serial, file] as const);

/** Machines, by the names of their figures. */
const commands: Readonly<Record<string, (guest: BenchGuest) => readonly [string, ...string[]]>> = {
	[peer]: (guest) => [
		...(['qemu-system-x86_64', '-accel', 'tcg', '-nodefaults', '-no-reboot'] as const),
		...(guest.peerCpu === undefined ? [] : ['-cpu', guest.peerCpu]),
		...['-smp', `${guest.processors}`, '-m', `${guest.memoryMib}M`, '-display', 'none', '-serial', 'stdio'],
		...peerDisks(guest),
		...peerFolder(guest),
		...peerNic(guest),
		...['-kernel', guest.kernel, ...initrdOf(guest, '-initrd'), '-append', guest.words],
	],
	openvmm: (guest) => [
		...([process.execPath, launcher, '--hypervisor', 'software', '--no-default-cmdline'] as const),
		...(ownCpu === undefined ? [] : ['--cpu', ownCpu]),
		...['-p', `${guest.processors}`, '-m', `${guest.memoryMib}M`],
		...(guest.disks === undefined ? [] : ownDisks(guest)),
		...(guest.folder === undefined
			? []
			: [`--virtio-${guest.folder.by === '9p' ? '9p' : 'fs'}`, `host,${guest.folder.path}`]),
		...ownNic(guest),
		...(guest.vsock === undefined ? [] : ['--virtio-vsock-path', guest.vsock]),
		...['-k', guest.kernel, ...initrdOf(guest, '-r'), '-c', guest.words],
	],
	v86: (guest) => [process.execPath, v86Program, guest.kernel, `${guest.memoryMib}`],
};

/** Names of the two that boot kernels of 64 bits. */
export const both = [peer, 'openvmm'];

/** A guest in a process of its own, whose console is read. */
export class GuestProcess {
	readonly startMs = nowMs();
	readonly #child: ChildProcess;
	readonly #ended: Promise<unknown>;
	/** What it has said, and when each part of it came. */
	readonly #heard: {readonly text: string; readonly atMs: number}[] = [];
	readonly #guest: BenchGuest;
	/** Called when it has said something. */
	#hear = () => {};

	/** @param who - one of {@link both}, or v86 */
	constructor(who: string, guest: BenchGuest) {
		const [command, ...words] = (commands[who] as (typeof commands)[string])(guest);
		this.#guest = guest;
		this.#child = spawn(command, words, {stdio: ['pipe', 'pipe', 'ignore']});
		this.#child.stdout?.setEncoding('latin1').on('data', (text) => {
			this.#heard.push({text, atMs: nowMs()});
			this.#hear();
		});
		this.#ended = once(this.#child, 'close');
	}

	/** Waits until the guest has said this. @returns what it has said, and when that came, in milliseconds */
	async said(what: string | RegExp): Promise<{readonly text: string; readonly atMs: number}> {
		const beginMs = nowMs();
		for (;;) {
			let all = '';
			for (const {text, atMs} of this.#heard) {
				all += text;
				const found = typeof what === 'string' ? all.includes(what) && what : what.exec(all)?.[0];
				if (typeof found === 'string') return {text: found, atMs};
			}
			if (this.#child.exitCode !== null || nowMs() - beginMs > limitMs)
				throw new Error(`"${what}" was not heard of ${this.#child.spawnfile}, but: ${all.slice(-500)}`);
			const {promise, resolve} = Promise.withResolvers<void>();
			this.#hear = resolve;
			const timer = setTimeout(resolve, 1000);
			await promise;
			clearTimeout(timer);
		}
	}

	/** Says a line to the guest. */
	say(line: string): void {
		this.#child.stdin?.write(`${line}\n`);
	}

	/** See {@link processorMs}. */
	cpuMs(): number {
		return processorMs(this.#child.pid);
	}

	/** Memory in MiB beyond the guest's RAM: this process's share of pages, without that of the mappings that are as large as RAM is. */
	ownMib(): number {
		const kib = (text: string): number => Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
		const ram = this.#guest.memoryMib * 1024;
		const mappings = read(`/proc/${this.#child.pid}/smaps`).split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
		const others = mappings.filter((text) => Number(/^Size:\s+(\d+)/m.exec(text)?.[1]) !== ram);
		if (others.length === mappings.length)
			throw new Error(`No mapping of ${this.#child.spawnfile} is as large as its RAM`);
		return others.reduce((sum, text) => sum + kib(text), 0) / 1024;
	}

	/** Waits for its end. @returns when that was, in milliseconds */
	async ended(): Promise<number> {
		await this.#ended;
		return nowMs();
	}

	/** Ends it. */
	async kill(): Promise<void> {
		this.#child.kill('SIGKILL');
		await this.#ended;
	}
}

/** Processor time of all threads of a process so far, in milliseconds (Linux: Documentation/scheduler/sched-stats.rst). */
export function processorMs(pid: number | undefined): number {
	const tasks = `/proc/${pid}/task`;
	return readdirSync(tasks).reduce(
		(sum, task) => sum + Number(read(`${tasks}/${task}/schedstat`).split(' ')[0]) / 1e6,
		0,
	);
}

/** Milliseconds of a clock that only goes on. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const read = (path: string): string => readFileSync(path, 'latin1');
