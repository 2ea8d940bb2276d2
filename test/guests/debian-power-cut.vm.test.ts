import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import type {DeviceHandle} from '#devices/device-type';
import {backEndHere, vmTest} from '#test/petri';
import {attachments, type DiskDevice, diskDevices} from './user-land/attachments.ts';
import {kernelComplaints, section, soleScript} from './user-land/script.ts';
import {hasUserLand, limitMs, userLandMachine} from './user-land/user-land.ts';

const fixtures = join(process.cwd(), 'test/guests/fixtures');
const program = join(fixtures, 'run-machine.mjs');
const fileSystems = {
	ext4: {make: 'mkfs.ext4 -q -F', check: 'e2fsck -f -n'},
	btrfs: {make: 'mkfs.btrfs -q -f', check: 'btrfs check'},
} as const;
type FileSystem = keyof typeof fileSystems;

/** What the writers of a guest have told that it is durable: a file's name and what is in it. */
type Kept = readonly (readonly [name: string, digest: string])[];
const keptBy = (output: string): Kept =>
	[...output.matchAll(/^kept (\w+\.\d+) ([0-9a-f]{64})\r?$/gm)].map(([, name = '', digest = '']) => [name, digest]);

/** What outlives the process: all that was written, which the host's page cache has, or what was flushed and some of the rest, as a seed says. */
const ends = [
	{how: "the machine's process was killed", seed: undefined},
	{how: "the machine's process was killed, and the disk lost what was not flushed", seed: 1},
] as const;

const writers = ['one', 'two'];
/** Files of each writer before the cut, by then it has removed copies. */
const leastKept = 20;
const copies = 12;

/** Writes files and tells of each when it is durable, while others come and go that nobody makes durable. */
function writing(fileSystem: FileSystem, disk: string): string {
	const writer = (name: string) =>
		`i=0; while :; do dd if=/dev/urandom of=/mnt/${name}.$i bs=$((1000 + i * 3000 % 70000)) count=1 conv=fsync status=none; ` +
		`echo kept ${name}.$i $(sha256sum </mnt/${name}.$i | cut -d" " -f1); cp /mnt/${name}.$i /mnt/${name}.copy.$i; ` +
		`[ $i -lt ${copies} ] || rm /mnt/${name}.copy.$((i - ${copies})); i=$((i + 1)); done`;
	const noise = 'while :; do dd if=/dev/zero of=/mnt/noise bs=64k count=64 status=none; rm /mnt/noise; done';
	return soleScript({
		name: 'writing',
		lines: [
			`modprobe ${fileSystem}`,
			`${fileSystems[fileSystem].make} ${disk}`,
			`mount ${disk} /mnt`,
			...[noise, ...writers.map(writer)].map((each) => `(${each}) &`),
			'wait',
		],
	});
}

/** Looks whether all that was durable is there. */
const looking = (fileSystem: FileSystem, disk: string, kept: Kept): string =>
	soleScript({
		name: 'looking',
		files: {sums: kept.map(([name, digest]) => `${digest}  /mnt/${name}\n`).join('')},
		lines: [
			`modprobe ${fileSystem}`,
			`mount ${disk} /mnt`,
			'sha256sum --check --quiet sums',
			'umount /mnt',
			`${fileSystems[fileSystem].check} ${disk} >report 2>&1 || { cat report; exit 1; }`,
			'echo all=kept',
		],
	});

for (const device of diskDevices)
	for (const fileSystem of Object.keys(fileSystems) as FileSystem[])
		for (const {how, seed} of ends)
			vmTest(
				`what ${fileSystem} on ${device} made durable is there when ${how}`,
				{on: ['software', 'kvm'], skip: !hasUserLand()},
				(t) => cutAndLook(t, device, fileSystem, seed),
			);

async function cutAndLook(t: ExecutionContext, device: DiskDevice, fileSystem: FileSystem, seed: number | undefined) {
	t.timeout(limitMs);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-power-cut-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	const tried = join(folder, 'tried');
	closeSync(openSync(tried, 'w'));
	truncateSync(tried, 256 * 2 ** 20);
	const disk = attachments[device].tried;
	const first = startProcess(t, device, tried, writing(fileSystem, disk), seed);
	const keptOf = (writer: string) => keptBy(first.output()).filter(([file]) => file.startsWith(`${writer}.`));
	while (writers.some((writer) => keptOf(writer).length < leastKept)) {
		t.is(first.child.exitCode, null, first.output());
		await sleep(20);
	}
	// Anywhere in what they do next.
	await sleep(Math.random() * 300);
	first.child.kill('SIGKILL');
	t.is(await first.ended, 'SIGKILL', first.output());
	const kept = keptBy(first.output());
	const second = startProcess(t, device, tried, looking(fileSystem, disk, kept));
	t.is(await second.ended, 0, second.output());
	const output = second.output().replaceAll('\r', '');
	t.is(section(t, output, 'looking'), 'all=kept\n');
	t.deepEqual(kernelComplaints(t, output), []);
}

/** Starts a machine of its own process. @param seed - of disks that lose what was not flushed */
function startProcess(t: ExecutionContext, device: DiskDevice, tried: string, script: string, seed?: number) {
	const {options, diskPath} = userLandMachine(t, {processors: 2, device, tried, script, withoutSystemd: true});
	const console = `${diskPath}.console`;
	const disks = options.devices ?? [];
	const devices = [
		...serialPorts({com1: {kind: 'file', path: console}}),
		...(seed === undefined ? disks : disks.map(lossy)),
	];
	const all = JSON.stringify({...options, hypervisor: backEndHere, devices});
	const child: ChildProcess = spawn(process.execPath, [program, all], {
		stdio: ['ignore', 'ignore', 'inherit'],
		env: {...process.env, OPENVMM_LOSSY_SEED: String(seed)},
	});
	t.teardown(() => void child.kill('SIGKILL'));
	return {
		child,
		output: () => (existsSync(console) ? readFileSync(console, 'latin1') : ''),
		ended: once(child, 'exit').then(([status, signal]) => status ?? signal),
	};
}

/** The same device over disks whose caches die with their process. */
function lossy(handle: DeviceHandle): DeviceHandle {
	if (!('kind' in handle)) throw new TypeError('a module is what it is');
	const {kind, ...rest} = handle;
	return {...rest, module: join(fixtures, `lossy-${kind}.ts`)};
}
