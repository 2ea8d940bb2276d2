import {type ChildProcess, execFile, execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Readable} from 'node:stream';
import {text} from 'node:stream/consumers';
import {setTimeout as sleep} from 'node:timers/promises';
import {promisify} from 'node:util';
import type {ExecutionContext} from 'ava';
import {stallMark} from '#devices/storage/backend/testing';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import type {NoticeOfDevice} from '#main/vm';
import {
	backEndHere,
	hearButton,
	linuxTest,
	linuxVm,
	type MakeMachine,
	patience,
	pressed,
	runInLinux,
	type TestVm,
	until,
	untilReadable,
} from '#test/petri';
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
		const [hangs = '', stops = '', ...more] = (await said).split('\n');
		t.regex(
			hangs,
			/^openvmm: warn: hanging-virtio-blk: Disk 0: read of \d+ bytes at \d+ has had no answer of the host/,
		);
		t.regex(stops, /^openvmm: .*hanging-virtio-blk.* \(\d+ requests to the disk\).*\[DEVICE_STOP_TIMEOUT\]$/);
		t.deepEqual(more, ['']);
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

const mib = 2 ** 20;
const fixture = (kind: string) => join(process.cwd(), `test/guests/fixtures/stalling-${kind}.ts`);

/** Devices with a disk of a file, which may stall, and another one. */
const controllers = {
	'virtio-blk': {
		drivers: 'virtio_pci virtio_blk',
		nodes: ['vda', 'vdb'],
		devices: (disk: object, policy: object) => [
			{module: fixture('virtio-blk'), port: 'rp0', name: 'stalls', options: {disk, policy}},
			{kind: 'virtio-blk', port: 'rp1', options: {disk: 'mem:1M'}},
		],
	},
	nvme: {
		drivers: 'nvme',
		nodes: ['nvme0n1', 'nvme0n2'],
		devices: (disk: object, policy: object) => [
			{
				module: fixture('nvme'),
				port: 'rp0',
				name: 'stalls',
				options: {
					serial: 'stalls',
					namespaces: [
						{nsid: 1, disk, readOnly: false, policy},
						{nsid: 2, disk: {kind: 'memory', bytes: mib}, readOnly: false},
					],
				},
			},
		],
	},
	'virtio-scsi': {
		drivers: 'virtio_pci virtio_scsi sd_mod sr_mod',
		nodes: ['sr0', 'sda'],
		devices: (disk: object, policy: object) => [
			{
				module: fixture('virtio-scsi'),
				port: 'rp0',
				name: 'stalls',
				options: {
					serial: 'stalls',
					units: [
						{lun: 0, disk, readOnly: true, dvd: true, policy},
						{lun: 1, disk: {kind: 'memory', bytes: mib}, readOnly: false},
					],
				},
			},
		],
	},
} as const;

/** Linux with such devices, which reads the first one's disk, $D, and writes to the other's, $O, by these lines of shell. */
async function stallingGuest(
	t: ExecutionContext,
	machine: MakeMachine,
	kind: keyof typeof controllers,
	policy: object,
	lines: readonly string[],
): Promise<{guest: TestVm; notices: NoticeOfDevice[]; mark: string}> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-stalling-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'disk.img');
	writeFileSync(path, Buffer.alloc(mib, 'disk'));
	const {drivers, nodes, devices} = controllers[kind];
	const [stalls, other] = nodes.map((node) => `/dev/${node}`) as [string, string];
	const pcie = {
		rootComplexes: [parsePcieRootComplex(complex)],
		rootPorts: ['rc0:rp0', 'rc0:rp1'].map((text) => parsePcieRootPort(text)),
	};
	const notices: NoticeOfDevice[] = [];
	const deviceNoticed = (notice: NoticeOfDevice) => void notices.push(notice);
	const options = {pcie, devices: devices({kind: 'file', path}, policy)} as Parameters<typeof runInLinux>[1];
	const guest = await runInLinux((given) => machine(given, {deviceNoticed}), options, [
		`dmesg -c >/dev/null; ${hearButton}; modprobe -a ${drivers}`,
		untilReadable(stalls, other),
		`D=${stalls} O=${other}`,
		...lines,
		'echo all=done; sleep 10000',
	]);
	return {guest, notices, mark: stallMark(path)};
}

const read = 'dd if=$D of=/dev/null bs=4k count=1 iflag=direct 2>/dev/null';
const writeTo = (disk: string) => `dd if=/dev/zero of=${disk} bs=4k count=4 oflag=direct conv=notrunc 2>/dev/null`;

for (const kind of ['virtio-blk', 'nvme', 'virtio-scsi'] as const)
	linuxTest(
		`a disk of ${kind} whose host hangs past its timeout gives Linux errors, keeps no other disk and no end of the machine`,
		async (t, machine) => {
			t.timeout(900_000);
			const {guest, notices, mark} = await stallingGuest(t, machine, kind, {timeout: 3}, [
				`${read} && echo ready=yes`,
				`while ${read}; do :; done; echo refused=yes`,
				'dmesg | grep -qE "(I/O|medium) error, dev $(basename $D)" && echo told=yes',
				`${writeTo('$O')} && echo other=yes`,
			]);
			await guest.waitFor(/^ready=yes/m);
			writeFileSync(mark, '');
			await guest.waitFor(/^all=done/m);
			for (const line of ['refused', 'told', 'other']) t.regex(guest.output, new RegExp(`^${line}=yes`, 'm'));
			t.true(notices.length > 0);
			for (const {device, details, kind: of} of notices) {
				t.deepEqual([device, of], ['stalls', 'disk-error']);
				t.like(details, {operation: 'read', error: 'timeout', action: 'report'});
			}
			await guest.vm.stop();
			t.not((await guest.vm.ended).kind, 'error');
		},
	);

for (const kind of ['virtio-blk', 'nvme'] as const)
	linuxTest(
		`the owner of a machine hears of a disk of ${kind} whose host hangs, and when it answers: Linux has waited, and lost nothing`,
		async (t, machine) => {
			t.timeout(900_000);
			const {guest, notices, mark} = await stallingGuest(t, machine, kind, {}, [
				`${read} && echo ready=yes`,
				until(pressed()),
				`{ ${writeTo('$D')} && echo written=yes; } &`,
				`${writeTo('$O')} && echo other=yes`,
				'wait',
				"dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|I/O error|timeout'",
			]);
			await guest.waitFor(/^ready=yes/m);
			writeFileSync(mark, '');
			await guest.vm.powerButton();
			await guest.waitFor(/^other=yes/m);
			while (notices.length === 0) await sleep(50);
			t.notRegex(guest.output, /^written=yes/m);
			rmSync(mark);
			await guest.waitFor(/^all=done/m);
			t.regex(guest.output, /^written=yes/m);
			while (notices.length === 1) await sleep(50);
			t.deepEqual(
				notices.map(({device, kind: of}) => [device, of]),
				[
					['stalls', 'disk-hangs'],
					['stalls', 'disk-answers'],
				],
			);
			t.like(notices[0]?.details, {operation: 'write', seconds: 10});
			t.notRegex(guest.output, /WARNING: CPU|BUG:|Call Trace|I\/O error|timeout/);
			await guest.vm.stop();
			t.not((await guest.vm.ended).kind, 'error');
		},
	);
