import {execFile, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import test from 'ava';
import {diskInfo} from '#main/disk-images';
import {forever, guestProgram, output} from '#test/guest-program';
import {backEndHere, vmTest, x86BackEnds} from '#test/petri';
import {controlSockets} from './testing/control-sockets.ts';

const x86 = {on: x86BackEnds};

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const directory = mkdtempSync(join(tmpdir(), 'openvmm-control-kvm-'));
test.after.always(() => rmSync(directory, {recursive: true}));
const machineFlags = ['--hypervisor', backEndHere, '-m', '64M'];
const env = {...process.env, XDG_CACHE_HOME: directory, XDG_RUNTIME_DIR: directory};

/** Runs a command to its end. */
function openvmm(words: string): Promise<{stdout: string; stderr: string; status: number}> {
	return new Promise((resolve) => {
		const [command = '', ...rest] = words.split(' ');
		// A busy host may let no thread answer for a while.
		const patient = command === 'inspect' ? ['--timeout', '60000'] : [];
		execFile(process.execPath, [launcher, command, ...patient, ...rest], {env}, (error, stdout, stderr) => {
			resolve({stdout, stderr, status: Number(error?.code ?? 0)});
		});
	});
}

/** Starts a machine and waits until it can be reached. */
async function startMachine(words: string) {
	const stdio = ['ignore', 'ignore', 'pipe'] as const;
	const child = spawn(process.execPath, [launcher, ...machineFlags, ...words.split(' ')], {env, stdio: [...stdio]});
	let said = '';
	(child.stderr as Readable).setEncoding('utf8').on('data', (more) => {
		said += more;
	});
	const stderr = once(child.stderr as Readable, 'close').then(() => said);
	const ended = new Promise<number | NodeJS.Signals | null>((resolve) => {
		child.once('exit', (status, signal) => resolve(status ?? signal));
	});
	for (;;) {
		const [socket] = controlSockets(directory, child.pid);
		if (socket !== undefined) return {pid: child.pid, ended, stderr, said: () => said, socket};
		if (child.exitCode !== null) throw new Error(`The machine ended with status ${child.exitCode}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}

vmTest('a running machine is listed, seen, changed, driven and ended from another process', x86, async (t) => {
	const sockets = join(directory, 'one.sockets');
	const {pid, ended, socket} = await startMachine(`--name one -c hang=hlt --virtio-vsock-path ${sockets}`);
	t.like(JSON.parse((await openvmm('ps --json')).stdout)[0], {pid, name: 'one', state: 'running'});
	t.is((await openvmm('inspect one vm/state')).stdout, 'running\n');
	t.regex((await openvmm('inspect one vm/vcpus/0/registers')).stdout, /^rip: 0x[0-9a-f]+$/m);
	t.is((await openvmm(`inspect log/level -u debug --socket ${socket}`)).stdout, 'debug (writable)\n');
	t.is((await openvmm(`pause ${pid}`)).status, 0);
	t.deepEqual(JSON.parse((await openvmm('inspect one vm/state --json')).stdout), 'paused');
	t.is((await openvmm('resume one')).status, 0);
	const agentless = await openvmm('exec one true');
	t.regex(agentless.stderr, /No agent answers in the guest of "one": nobody in the guest listens/);
	t.is(agentless.status, 125);
	const wrong = await openvmm('inspect one vm/vcpu');
	t.regex(
		wrong.stderr,
		/^openvmm: There is no "vcpu" in "vm"\. Did you mean vm\/vcpus\?.*\[INSPECT_PATH_NOT_FOUND\]\n$/,
	);
	t.is(wrong.status, 2);
	t.is((await openvmm('inspect one vm/state -u off')).status, 2);
	const second = await startMachine('--name two -c hang=hlt');
	t.is((await openvmm('quit three')).status, 9);
	t.is((await openvmm('quit')).status, 2);
	t.is((await openvmm('quit one')).status, 0);
	t.is(await ended, 0);
	t.false(existsSync(socket));
	t.is((await openvmm('quit two')).status, 0);
	t.is(await second.ended, 0);
	t.is((await openvmm('inspect two')).status, 9);
});

vmTest(
	'a running machine is saved from another process, follows signals, and goes on from its snapshot',
	x86,
	async (t) => {
		t.timeout(600_000);
		const first = await startMachine('--name first -p 2 -c loop');
		const state = async () => (await openvmm('inspect first vm/state')).stdout.trim();
		for (const [signal, reached] of [
			['SIGTSTP', 'paused'],
			['SIGCONT', 'running'],
		] as const) {
			process.kill(first.pid ?? 0, signal);
			while ((await state()) !== reached) await new Promise((resolve) => setTimeout(resolve, 50));
		}
		const snapshot = join(directory, 'snapshot');
		t.is((await openvmm(`save-snapshot first ${snapshot}`)).status, 0);
		t.is(await state(), 'running');
		t.is((await openvmm('quit first')).status, 0);
		t.is(await first.ended, 0);
		const restored = await startMachine(`--name second --restore-snapshot ${snapshot}`);
		t.is((await openvmm('inspect second vm/vcpus/1/registers')).status, 0);
		t.is((await openvmm('quit second')).status, 0);
		t.is(await restored.ended, 0);
	},
);

/** Wakes the device that hangs. */
const waker = guestProgram({name: 'waker', main: [output(0x610, 1, 7), forever()]}).kernel;

vmTest(
	"a running machine's image gets longer from another process, and what cannot be is a line of its log",
	x86,
	async (t) => {
		const image = join(directory, 'disk.qcow2');
		const {ended, said} = await startMachine(`--name disk --virtio-blk ${image};create=1M -c hang=hlt`);
		const device = 'virtio-blk-mmio';
		const sizeIs = async (bytes: number) =>
			JSON.parse((await openvmm(`inspect disk vm/devices/${device}/disks/0/size --json`)).stdout) === bytes;
		t.true(await sizeIs(2 ** 20));
		t.is((await openvmm(`resize-disk disk ${device} 4M`)).status, 0);
		while (!(await sizeIs(2 ** 22)));
		t.is((await openvmm(`resize-disk disk ${device} 1M`)).status, 0);
		while (!said().includes('stays as long as it is')) await new Promise((resolve) => setTimeout(resolve, 20));
		t.regex(said(), /virtio-blk-mmio: Disk 0 stays as long as it is \(.*it would lose what lies behind that\)/);
		t.is((await openvmm('quit disk')).status, 0);
		t.is(await ended, 0);
		t.like(await diskInfo({path: image}), {sizeBytes: 2 ** 22});
	},
);

vmTest("a machine whose devices' thread hangs can be seen, and quit ends its process", x86, async (t) => {
	t.timeout(600_000);
	const {image, loadAddress} = waker;
	const kernel = join(directory, 'kernel');
	writeFileSync(kernel, image);
	const device = join(process.cwd(), 'test/vmm/fixtures/hanging-device.ts');
	const {ended, stderr} = await startMachine(
		`--name hung --flat ${kernel},address=${loadAddress},mode=long --device ${device},release=${directory}/never`,
	);
	while (!(await openvmm('inspect hung vm/reactor/status')).stdout.startsWith('hangs'));
	t.regex((await openvmm('inspect hung vm/vcpus/0/registers/rdx')).stdout, /^0x[0-9a-f]*610\n$/);
	t.is((await openvmm('quit hung')).status, 0);
	// By force: nothing else ends a thread that does not come back.
	t.is(await ended, 'SIGKILL');
	t.regex(await stderr, /^openvmm: The devices' thread \(\d+\) hangs: .*\[VM_DEVICES_HUNG\]\n$/);
});

vmTest('a running machine is measured from another process, and by itself until its end', x86, async (t) => {
	const path = join(directory, 'whole.json');
	const {ended} = await startMachine(`--name measured -p 2 -c hang=cli --profile ${path} --profile-rate 100`);
	const {stdout} = await openvmm('top measured --once');
	t.regex(
		stdout,
		/^openvmm top: measured \(\d+\), running\n\nCPU .* port\/s .*\n0 .*\n1 .*\n\n(CPU .* of WebAssembly .*\n0 .*\n1 .*\n\n)?.* % {2}[█-▏·]{10} {2}of the time they waited/,
	);
	const part = join(directory, 'part.json');
	t.is((await openvmm(`profile measured ${part} --time 1 --rate 1000`)).status, 0);
	t.is((await openvmm(`profile measured ${part} --symbols ${directory}/missing`)).status, 2);
	t.is((await openvmm('quit measured')).status, 0);
	t.is(await ended, 0);
	for (const file of [path, part]) {
		const {profiles} = JSON.parse(readFileSync(file, 'utf8')) as {
			readonly profiles: readonly {readonly samples: object[]}[];
		};
		t.is(profiles.length, 2);
		t.true(
			profiles.some(({samples}) => samples.length > 0),
			file,
		);
	}
	t.is((await openvmm(`--profile ${directory}/none/it`)).status, 1);
});
