import {appendFileSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {createConnection} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import type {ExecutionContext} from 'ava';
import {agentPort, agentPortName, GuestAgent} from '#main/agent';
import {VM} from '#main/api';
import type {BootConfig, VmOptions} from '#main/config';
import {bytesContent, FileTree, Spool} from '#main/file-tree';
import {addBusybox, packCpio, unpackAll, writeDisk} from '#main/images';
import type {Vm} from '#main/vm';
import {guestAgent} from '#main/workers';
import {isVmmError} from '#support/errors';
import {flagged, linuxTest, linuxVm, openTestSnapshot, patience, snapshotPlace} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';
import {onBackEnd} from './testing/api-machine.ts';

const modules = 'virtio_pci,virtio_mmio,virtio_console,virtio_net,virtio_blk,ext4,overlay,vmw_vsock_virtio_transport';

/** The tests' initial file system, whose first program is the agent. */
async function agentInitrd(folder: string): Promise<string> {
	const tree = new FileTree(0);
	tree.addFile('init', bytesContent(readFileSync(fileURLToPath(guestAgent('x86_64')))), 0o755);
	const path = join(folder, 'initrd');
	copyFileSync(stockFiles('cloud').initrd, path);
	for await (const bytes of packCpio(tree)) appendFileSync(path, bytes);
	return path;
}

const archives = join(process.cwd(), '.packages/apt/archives');

/** A system on a disk, with an init of its own, which ends the machine as busybox's does. */
const guestInit = `#!/bin/busybox sh
trap '/bin/busybox poweroff -f' USR2
echo its own >/run/new
/bin/busybox mv /run/new /run/init
while :; do /bin/busybox sleep 0.1; done
`;

async function systemDisk(folder: string): Promise<string> {
	const [path, tree, unpacked] = [join(folder, 'disk'), new FileTree(0), new FileTree(0)];
	await using spool = await Spool.open(folder, 2 ** 24);
	const busybox = readdirSync(archives).filter((name) => name.startsWith('busybox-static_'));
	await unpackAll(
		busybox.map((name) => join(archives, name)),
		unpacked,
		spool,
	);
	for (const name of ['dev', 'proc', 'sys', 'run', 'tmp', 'etc']) tree.addDirectory(name);
	addBusybox(tree, unpacked);
	tree.addFile('sbin/init', bytesContent(Buffer.from(guestInit)), 0o755);
	tree.addFile('etc/passwd', bytesContent(Buffer.from('root:x:0:0::/:/bin/sh\ntester:x:1000:1000::/tmp:/bin/sh\n')));
	tree.addFile('etc/group', bytesContent(Buffer.from('root:x:0:\nextra:x:77:tester\n')));
	const uuid = '11111111-2222-3333-4444-555555555555';
	await writeDisk(tree, path, {sizeBytes: 16 * 2 ** 20, uuid, label: 'system', time: 1_790_000_000});
	return path;
}

const agentBoot = async (folder: string, words: readonly string[]): Promise<BootConfig> => ({
	kind: 'linux',
	...stockFiles('cloud'),
	initrd: await agentInitrd(folder),
	commandLine: ['console=ttyS0', 'quiet', ...patience, 'cryptomgr.notests', `openvmm.modules=${modules}`, ...words],
});

async function agentMachine(t: ExecutionContext, words: readonly string[]): Promise<VmOptions & {channel: string}> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-agent-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const channel = join(folder, 'channel');
	return {
		boot: await agentBoot(folder, words),
		devices: flagged({
			'virtio-net': ['consomme'],
			'virtio-vsock-path': [join(folder, 'v.sock')],
			'virtio-console-channel': [`name=${agentPortName}:listen=${channel}`],
		}),
		channel,
	};
}

/** Connects as soon as the agent listens, which is when the root is mounted. */
async function connect(vm: Vm): Promise<GuestAgent> {
	const signal = AbortSignal.timeout(200_000);
	for (;;) {
		try {
			return await GuestAgent.connect(await vm.vsock.connect(agentPort, {signal}), {signal});
		} catch (error) {
			if (!isVmmError(error) || !['VM_VSOCK_REFUSED', 'AGENT_CLOSED'].includes(error.code)) throw error;
			await sleep(50);
		}
	}
}

const text = async (agent: GuestAgent, ...command: string[]) => `${(await agent.exec(command)).stdout}`.trim();

/** The next host of the port; one that the agent does not answer fails its test, which tells what the guest does then. */
const connectPort = (channel: string, options: {readonly killCommands?: boolean} = {}) =>
	GuestAgent.connect(createConnection(channel), {...options, signal: AbortSignal.timeout(200_000)});

linuxTest(
	'the agent is the init of a guest with a NIC, over vsock and over a port, and is there again after a snapshot',
	async (t, make) => {
		const {channel, ...options} = await agentMachine(t, [
			`openvmm.agent=vsock:${agentPort},console:${agentPortName}`,
			'openvmm.hostname=other',
			'ip=10.0.0.2::10.0.0.1:255.255.255.0:tested:eth0:off:10.0.0.1',
		]);
		const directory = snapshotPlace(t);
		const guest = await linuxVm(make, options);
		await guest.vm.start();
		const first = await connect(guest.vm);
		t.like(first.guest, {version: 1, hostname: 'tested', isInit: true, pid: 1, architecture: 'x86_64'});
		// A host of the port goes for good, while nobody comes after it.
		const gone = await connectPort(channel, {killCommands: true});
		const killed = await gone.spawn(['busybox', 'sleep', '100000']);
		gone.close();

		t.is((await first.exec(['busybox', 'sh', '-c', 'exit 9'])).exitCode, 9);
		t.is(await text(first, 'busybox', 'cat', '/proc/1/comm'), 'init');
		t.regex(await text(first, 'busybox', 'ifconfig', 'eth0'), /inet addr:10\.0\.0\.2 .*Mask:255\.255\.255\.0/);
		t.regex(await text(first, 'busybox', 'route', '-n'), /^0\.0\.0\.0 +10\.0\.0\.1 /m);
		t.is(`${await first.files.read('/etc/resolv.conf')}`, 'nameserver 10.0.0.1\n');
		t.is((await first.exec(['busybox', 'ping', '-c', '1', '10.0.0.1'])).exitCode, 0);
		t.regex(
			await text(first, 'busybox', 'nslookup', 'gateway.internal'),
			/Name:\s+gateway\.internal\s+Address.*10\.0\.0\.1$/m,
		);
		// By IPv6 too, as soon as the guest's own address is known to be nobody else's.
		const ping = ['busybox', 'ping6', '-c', '1', '-I', 'eth0', 'fe80::5055:aff:fe00:1'];
		while ((await first.exec(ping)).exitCode !== 0) await sleep(50);
		await first.files.write('/tmp/file', Buffer.alloc(2 ** 20, 'bytes'));
		t.is((await first.files.read('/tmp/file')).length, 2 ** 20);
		await first.reseed(Buffer.alloc(64, 'entropy'));
		const terminal = await first.exec(['busybox', 'stty', 'size'], {tty: {columns: 90, rows: 30}});
		t.is(`${terminal.stdout}`, '30 90\r\n');
		await first.mount({source: 'none', target: '/mnt/new/place', type: 'tmpfs', makeTarget: true});
		t.regex(`${await first.files.read('/proc/mounts')}`, /^none \/mnt\/new\/place tmpfs/m);
		await t.throwsAsync(first.mount({source: 'none', target: '/tmp', type: 'nonesuch'}), {message: /ENODEV \(mount\)/});
		// Orphans are the init's to take.
		await first.exec(['busybox', 'sh', '-c', '(busybox sleep 0.01 &)']);
		const server = await first.spawn(['busybox', 'sh', '-c', 'while busybox sleep 0.2; do echo goes on; done']);
		while ((await first.exec(['busybox', 'kill', '-0', `${killed.pid}`])).exitCode === 0) await sleep(50);

		// A port's news that its host has gone or come and its bytes come in any order: each host is answered all the same.
		for (let round = 0; round < 30; round++) {
			const next = await connectPort(channel);
			t.is(next.guest.bootId, first.guest.bootId);
			t.is((await next.files.stat('/tmp')).kind, 'directory');
			next.close();
		}
		const second = await connectPort(channel);
		t.is(await text(second, 'busybox', 'hostname'), 'tested');
		// The port's host goes amid a frame, and another one comes.
		const half = second.files.writeStream('/tmp/half');
		await new Promise((resolve) => half.write(Buffer.alloc(300_000, 'x'), resolve)).catch(() => {});
		second.close();
		const third = await connectPort(channel);
		t.is(await text(third, 'busybox', 'echo', 'again'), 'again');
		t.is((await third.exec(['busybox', 'head', '-c', '3000000', '/dev/zero'])).stdout.length, 3_000_000);

		await guest.vm.pause();
		await guest.vm.saveSnapshot(directory);
		await guest.vm.stop();
		for (const agent of [first, third])
			t.is(((await agent.closed) as {code?: string} | undefined)?.code, 'AGENT_CLOSED');
		await t.throwsAsync(first.exec(['true']), {code: 'AGENT_CLOSED'});

		const restored = await make(options, {snapshot: openTestSnapshot(t, directory)});
		await restored.vm.start();
		const [vsock, port] = await Promise.all([connect(restored.vm), connectPort(channel)]);
		t.is(vsock.guest.bootId, first.guest.bootId);
		t.is(await text(port, 'busybox', 'cat', '/proc/1/comm'), 'init');
		// What ran goes on, as it was not asked to end.
		t.is((await vsock.exec(['busybox', 'kill', '-0', `${server.pid}`])).exitCode, 0);
		const year = 365 * 86_400_000;
		await vsock.setClock(Date.UTC(2040, 0, 1));
		t.true(Number(await text(vsock, 'busybox', 'date', '+%s')) * 1000 - Date.UTC(2040, 0, 1) < year);
		t.true(Number(await text(vsock, 'busybox', 'date', '+%s')) * 1000 >= Date.UTC(2040, 0, 1));
		await vsock.shutdown('poweroff');
		t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
	},
);

linuxTest(
	"the agent mounts a disk under an overlay, goes on beside the guest's own init, and needs no virtio sockets",
	async (t) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-agent-'));
		t.teardown(() => rmSync(folder, {recursive: true, force: true}));
		t.timeout(600_000);
		const words = [
			'root=/dev/vda',
			'openvmm.overlay=tmpfs',
			'init=/sbin/init',
			`openvmm.agent=console:${agentPortName}`,
		];
		const disk = await systemDisk(folder);
		await using vm = await VM.create({
			boot: await agentBoot(folder, words),
			disks: [`memdiff:${disk}`, {path: disk, readOnly: true, serial: 'second'}],
			agent: 'console',
			network: false,
			...onBackEnd,
		});
		const guest = await vm.guest();
		t.false(guest.isInit);
		t.not(guest.pid, 1);
		while (!(await vm.files.readdir('/run')).some(({name}) => name === 'init')) await sleep(50);
		t.is(await vm.files.readText('/run/init'), 'its own\n');
		t.regex(await vm.files.readText('/proc/mounts'), /^overlay \/ overlay .*lowerdir=\/openvmm\/lower/m);
		await vm.files.write('/etc/new', 'written');
		await vm.files.remove('/etc/group');
		t.deepEqual((await vm.files.readdir('/etc')).map(({name}) => name).sort(), ['new', 'passwd']);
		const who = await vm.exec(['/bin/busybox', 'sh', '-c', 'busybox id -u; busybox pwd'], {user: 'tester'});
		t.is(who.stdout, '1000\n/tmp\n');
		await t.throwsAsync(vm.machine.vsock.connect(agentPort), {code: 'VM_VSOCK_REFUSED'}, 'nobody listens there');
		t.is((await vm.exec(['/bin/busybox', 'cat', '/sys/block/vdb/ro', '/sys/block/vdb/serial'])).stdout, '1\nsecond');
		const [fork] = (await vm.fork(1)) as [VM];
		await using own = fork;
		t.is(await own.files.readText('/etc/new'), 'written', 'a fork has a port of its own');
		await own.stop({timeout: Number.POSITIVE_INFINITY});
		t.deepEqual(await own.ended, {kind: 'power-off'});
		t.is((await vm.exec(['/bin/busybox', 'true'])).exitCode, 0);
	},
);
