import {type ChildProcess, execFile, execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, constants, existsSync, mkdtempSync, openSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {backEndHere, linuxTest, linuxVm, patience} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';

const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
const module = join(process.cwd(), 'test/guests/fixtures/hanging-virtio-blk.ts');
const [complex, port] = ['rc0,end_bus=15', 'rc0:rp0'];
const ports = ['--pcie-root-complex', complex, '--pcie-root-port', port];
/** Linux reads the disk's partition table as soon as it has it. */
const loading = 'OPENVMM_RUN="modprobe -a virtio_pci virtio_mmio virtio_blk"';

/** A FIFO that nobody writes to. */
function fifoOf(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-hanging-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'fifo');
	execFileSync('mkfifo', [path]);
	return path;
}

async function untilHanging(fifo: string, isOver: () => boolean): Promise<void> {
	while (!existsSync(`${fifo}.hangs`)) {
		if (isOver()) throw new Error('The machine is over, and its disk has never been asked');
		await sleep(50);
	}
}

const ends = {
	quit: (_child: ChildProcess, env: NodeJS.ProcessEnv) =>
		promisify(execFile)(process.execPath, [launcher, 'quit', 'hanging'], {env}),
	SIGINT: async (child: ChildProcess) => void child.kill('SIGINT'),
} as const;

for (const how of ['quit', 'SIGINT'] as const)
	linuxTest(`a machine whose disk hangs is ended by ${how}, and its process with it`, async (t) => {
		t.timeout(900_000);
		const fifo = fifoOf(t);
		const env = {
			...process.env,
			OPENVMM_HANGING_FIFO: fifo,
			XDG_RUNTIME_DIR: join(fifo, '..'),
			XDG_CACHE_HOME: join(fifo, '..'),
		};
		const {kernel, initrd} = stockFiles('cloud');
		const words = [
			...['--hypervisor', backEndHere, '--name', 'hanging', '-m', '512M', ...ports, '-k', kernel, '-r', initrd],
			...['-c', ['quiet', ...patience, loading].join(' '), '--device', `${module},port=rp0,disk=mem:1M`],
		];
		const child = spawn(process.execPath, [launcher, ...words], {env, stdio: ['ignore', 'ignore', 'pipe']});
		t.teardown(() => void child.kill('SIGKILL'));
		const said = text(child.stderr as Readable);
		const ended = once(child, 'exit');
		await untilHanging(fifo, () => child.exitCode !== null);
		await ends[how](child, env);
		// By force: the end of the process would wait for the thread.
		t.deepEqual(await ended, [null, 'SIGKILL'], await said);
		t.regex(await said, /^openvmm: .*hanging-virtio-blk.* \(\d+ requests to the disk\).*\[DEVICE_STOP_TIMEOUT\]\n$/);
	});

linuxTest('a machine of a program whose disk hangs is stopped, and says what still hangs', async (t, machine) => {
	t.timeout(900_000);
	const fifo = fifoOf(t);
	process.env['OPENVMM_HANGING_FIFO'] = fifo;
	const disk = {module, port: 'rp0', options: {disk: 'mem:1M'}};
	const pcie = {
		rootComplexes: [parsePcieRootComplex(complex)],
		rootPorts: [parsePcieRootPort(port)],
	};
	const guest = await linuxVm(machine, {devices: [disk], pcie}, loading);
	await guest.vm.start();
	await untilHanging(fifo, () => guest.vm.state === 'stopped');
	await guest.vm.stop();
	const end = await guest.vm.ended;
	t.like(end, {kind: 'error', error: {code: 'DEVICE_STOP_TIMEOUT'}});
	t.true(end.kind === 'error' && (end.hanging ?? []).length > 0);
	closeSync(openSync(fifo, constants.O_RDWR));
});
