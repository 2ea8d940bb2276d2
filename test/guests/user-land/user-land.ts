import {closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {DiskPolicy} from '#devices/storage/backend';
import {parsePcieRootComplex, parsePcieRootPort, type VmOptions} from '#main/config';
import {checkExt4, hasExt4Tools} from '#main/ext4/testing';
import {type MakeMachine, patience, vmTest} from '#test/petri';
import {attachments, type DiskDevice, diskOf} from './attachments.ts';
import type {Part} from './part.ts';
import {kernelComplaints, scriptDisk, section} from './script.ts';

const folder = join(process.cwd(), '.packages', 'user-land');
const [kernel, initrd, disk] = ['vmlinuz', 'initrd.gz', 'disk.img'].map((name) => join(folder, name)) as [
	string,
	string,
	string,
];
/** False where the system was not made. */
export const hasUserLand = (): boolean => existsSync(disk);
/** The same of systemd's. */
export const systemdPatience: readonly string[] = [
	'systemd.service_watchdogs=no',
	'systemd.default_timeout_start_sec=1h',
];
/** Busy hosts need more than the time that other tests have; AVA's own limit is behind it. */
export const limitMs: number = 30 * 60_000;

/** QEMU's emulated SVM tells KVM of no XSETBV, so that CPUID's size of the XSAVE area does not follow, which Linux complains of. */
const emulated: readonly string[] = process.env['OPENVMM_INCUBATOR'] === undefined ? [] : ['noxsave'];

/** A Debian to boot. */
export interface UserLand {
	readonly processors: number;
	/** What its root is on, and the disk to try. @default 'virtio-blk' */
	readonly device?: DiskDevice;
	/** A file of the host that a further disk of this kind has its data in: {@link Attachment.tried} in the guest. */
	readonly tried?: string;
	/** Limits of that disk, and what follows its errors. */
	readonly policy?: DiskPolicy;
	/** What it runs, a script of its shell. Without systemd it is all that runs, and has to power off. */
	readonly script: string;
	readonly withoutSystemd?: boolean;
}

/** A machine of {@link UserLand}, in files of a folder of the test's own. */
export function userLandMachine(t: ExecutionContext, asked: UserLand): {options: VmOptions; diskPath: string} {
	const own = mkdtempSync(join(tmpdir(), 'openvmm-user-land-'));
	t.teardown(() => rmSync(own, {recursive: true}));
	const [diskPath, scriptPath] = [join(own, 'disk'), join(own, 'script')];
	copyFileSync(disk, diskPath);
	writeFileSync(scriptPath, asked.script);
	return {options: machineOptions(asked, diskPath, scriptPath), diskPath};
}

function machineOptions(
	{processors, device = 'virtio-blk', tried, policy, withoutSystemd = false}: UserLand,
	diskPath: string,
	scriptPath: string,
): VmOptions {
	const {root, devices} = attachments[device];
	const init = withoutSystemd ? ['init=/etc/openvmm/run'] : systemdPatience;
	return {
		processors: {count: processors},
		memory: {sizeBytes: 2 ** 30},
		boot: {
			kind: 'linux',
			kernel,
			initrd,
			// systemd's words would push the kernel's first ones out of what `dmesg` shows.
			commandLine: ['console=ttyS0', 'quiet', 'log_buf_len=8M', `root=${root}`, ...emulated, ...patience, ...init],
		},
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0')],
			rootPorts: ['rp0', 'rp1', 'rp2'].map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: [
			...devices(['rp0', 'rp1'], [diskPath, ...(tried === undefined ? [] : [tried])], policy),
			{kind: 'virtio-blk', port: 'rp2', options: {disk: diskOf(scriptPath), readOnly: true, id: 'script'}},
		],
	};
}

/** Boots a Debian of packages with systemd, which runs the parts one after the other and powers off. */
export function userLandTest(
	title: string,
	{
		parts,
		check = () => {},
		...asked
	}: Omit<UserLand, 'script'> & {
		readonly parts: readonly Part[];
		/** Looks at what is left when the guest is off. */
		readonly check?: (t: ExecutionContext) => void;
	},
): void {
	vmTest(title, {on: ['software', 'kvm'], skip: !hasUserLand()}, async (t, machine) => {
		const {output, diskPath} = await runUserLand(t, machine, {...asked, script: scriptDisk(parts)});
		t.regex(output, /^state=running$/m, output);
		t.notRegex(output, /FAILED|UNSUPP|systemd.*Failed/, 'what systemd says on the console');
		t.is(section(t, output, 'failed units'), '', 'units that failed');
		t.deepEqual(kernelComplaints(t, output), [], 'what the kernel complains of');
		checkDisk(t, diskPath);
		for (const {name, check} of parts) check(t, section(t, output, name));
		check(t);
	});
}

async function runUserLand(t: ExecutionContext, machine: MakeMachine, asked: UserLand) {
	const {options, diskPath} = userLandMachine(t, asked);
	const guest = await machine(options);
	t.timeout(limitMs);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	return {output: guest.output.replaceAll('\r', ''), diskPath};
}

/** The guest has let go of its file system before it was off, and what it wrote is whole. */
export function checkDisk(t: ExecutionContext, path: string): void {
	const state = new Uint8Array(2);
	const file = openSync(path, 'r');
	readSync(file, state, 0, 2, 1024 + 0x3a);
	closeSync(file);
	t.deepEqual(state, Uint8Array.of(1, 0), 's_state of the superblock: unmounted, and without an error');
	if (hasExt4Tools) checkExt4(t, path);
	else t.log('there is no e2fsck here');
}
