import {type ChildProcess, spawn} from 'node:child_process';
import {once} from 'node:events';
import {closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ExecutionContext} from 'ava';
import {serialPorts} from '#devices/chipset/serial-16550';
import {backEndHere, vmTest} from '#test/petri';
import {attachments, type DiskDevice, diskDevices} from './user-land/attachments.ts';
import {section, soleScript} from './user-land/script.ts';
import {hasUserLand, limitMs, userLandMachine} from './user-land/user-land.ts';

const program = join(process.cwd(), 'test/guests/fixtures/run-machine.mjs');
const fileSystems = {
	ext4: {make: 'mkfs.ext4 -q -F', check: 'e2fsck -f -n'},
	btrfs: {make: 'mkfs.btrfs -q -f', check: 'btrfs check'},
} as const;
type FileSystem = keyof typeof fileSystems;

/** What the writers of a guest have told that it is durable: a file's name and what is in it. */
type Kept = readonly (readonly [name: string, digest: string])[];
const keptBy = (output: string): Kept =>
	[...output.matchAll(/^kept (\w+\.\d+) ([0-9a-f]{64})\r?$/gm)].map(([, name = '', digest = '']) => [name, digest]);

const writers = ['one', 'two'];
/** Before the cut, each has removed some of its files. */
const leastKept = 40;
const stays = 12;

/** Writes files, tells of each when it is durable and removes older ones, while others are written that nobody makes durable. */
function writing(fileSystem: FileSystem, disk: string): string {
	const writer = (name: string) =>
		`i=0; while :; do dd if=/dev/urandom of=/mnt/${name}.$i bs=$((1000 + i * 3000 % 70000)) count=1 conv=fsync status=none; ` +
		`echo kept ${name}.$i $(sha256sum </mnt/${name}.$i | cut -d" " -f1); ` +
		`[ $i -lt ${stays} ] || rm /mnt/${name}.$((i - ${stays})); i=$((i + 1)); done`;
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

for (const device of diskDevices) {
	for (const fileSystem of Object.keys(fileSystems) as FileSystem[]) {
		vmTest(
			`what ${fileSystem} on ${device} made durable is there when the machine's process was killed`,
			{on: ['software'], skip: !hasUserLand()},
			async (t) => {
				t.timeout(limitMs);
				const folder = mkdtempSync(join(tmpdir(), 'openvmm-power-cut-'));
				t.teardown(() => rmSync(folder, {recursive: true, force: true}));
				const tried = join(folder, 'tried');
				closeSync(openSync(tried, 'w'));
				truncateSync(tried, 256 * 2 ** 20);
				const disk = attachments[device].tried;
				const first = startProcess(t, device, tried, writing(fileSystem, disk));
				while (keptBy(first.output()).length < leastKept) {
					t.is(first.child.exitCode, null, first.output());
					await sleep(20);
				}
				// Anywhere in what they do next.
				await sleep(Math.random() * 300);
				first.child.kill('SIGKILL');
				t.is(await first.ended, 'SIGKILL', first.output());
				// The newest of each are not removed yet, whatever the output does not tell.
				const kept = writers.flatMap((name) =>
					keptBy(first.output())
						.filter(([file]) => file.startsWith(`${name}.`))
						.slice(-stays / 2),
				);
				t.is(kept.length, stays, first.output());
				const second = startProcess(t, device, tried, looking(fileSystem, disk, kept));
				t.is(await second.ended, 0, second.output());
				t.is(section(t, second.output().replaceAll('\r', ''), 'looking'), 'all=kept\n');
			},
		);
	}
}

/** Starts a machine of its own process. */
function startProcess(t: ExecutionContext, device: DiskDevice, tried: string, script: string) {
	const {options, diskPath} = userLandMachine(t, {processors: 2, device, tried, script, withoutSystemd: true});
	const console = `${diskPath}.console`;
	const devices = [...serialPorts({com1: {kind: 'file', path: console}}), ...(options.devices ?? [])];
	const all = JSON.stringify({...options, hypervisor: backEndHere, devices});
	const child: ChildProcess = spawn(process.execPath, [program, all], {stdio: ['ignore', 'ignore', 'inherit']});
	t.teardown(() => void child.kill('SIGKILL'));
	return {
		child,
		output: () => (existsSync(console) ? readFileSync(console, 'latin1') : ''),
		ended: once(child, 'exit').then(([status, signal]) => status ?? signal),
	};
}
