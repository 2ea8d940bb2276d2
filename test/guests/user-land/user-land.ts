import {closeSync, copyFileSync, existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {parsePcieRootComplex, parsePcieRootPort} from '#main/config';
import {checkExt4, hasExt4Tools} from '#main/ext4/testing';
import {type MakeMachine, vmTest} from '#test/petri';
import type {Part} from './part.ts';
import {scriptDisk, section} from './script.ts';

const folder = join(process.cwd(), '.packages', 'user-land');
const [kernel, initrd, disk] = ['vmlinuz', 'initrd.gz', 'disk.img'].map((name) => join(folder, name)) as [
	string,
	string,
	string,
];
const module = join(process.cwd(), 'test/guests/fixtures/file-disk.ts');
/** A guest on a busy host takes nothing for dead. */
const patience = ['nowatchdog', 'systemd.service_watchdogs=no', 'systemd.default_timeout_start_sec=1h'];
/** Busy hosts need more than the time that other tests have; AVA's own limit is behind it. */
const limitMs = 30 * 60_000;

/** Boots a Debian of packages with systemd, which runs the parts one after the other and powers off. */
export function userLandTest(title: string, processors: number, parts: readonly Part[]): void {
	vmTest(title, {on: ['software'], skip: !existsSync(disk)}, async (t, machine) => {
		const {output, diskPath} = await runUserLand(t, machine, processors, parts);
		t.regex(output, /^state=running$/m, output);
		t.notRegex(output, /FAILED|UNSUPP|systemd.*Failed/, 'what systemd says on the console');
		t.is(section(t, output, 'failed units'), '', 'units that failed');
		t.is(section(t, output, 'kernel'), '', 'what the kernel complains of');
		checkDisk(t, diskPath);
		for (const {name, check} of parts) check(t, section(t, output, name));
	});
}

async function runUserLand(
	t: ExecutionContext,
	machine: MakeMachine<'software'>,
	processors: number,
	parts: readonly Part[],
) {
	const own = mkdtempSync(join(tmpdir(), 'openvmm-user-land-'));
	t.teardown(() => rmSync(own, {recursive: true}));
	const [diskPath, scriptPath] = [join(own, 'disk'), join(own, 'script')];
	copyFileSync(disk, diskPath);
	writeFileSync(scriptPath, scriptDisk(parts));
	const guest = await machine({
		processors: {count: processors},
		memory: {sizeBytes: 2 ** 30},
		boot: {kind: 'linux', kernel, initrd, commandLine: ['console=ttyS0', 'quiet', ...patience]},
		pcie: {
			rootComplexes: [parsePcieRootComplex('rc0')],
			rootPorts: ['rp0', 'rp1'].map((name) => parsePcieRootPort(`rc0:${name}`)),
		},
		devices: [
			{module, name: 'system', port: 'rp0', options: {file: diskPath}},
			{module, name: 'script', port: 'rp1', options: {file: scriptPath, readOnly: true}},
		],
	});
	t.timeout(limitMs);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	return {output: guest.output.replaceAll('\r', ''), diskPath};
}

/** The guest has let go of its file system before it was off, and what it wrote is whole. */
function checkDisk(t: ExecutionContext, path: string): void {
	const state = new Uint8Array(2);
	const file = openSync(path, 'r');
	readSync(file, state, 0, 2, 1024 + 0x3a);
	closeSync(file);
	t.deepEqual(state, Uint8Array.of(1, 0), 's_state of the superblock: unmounted, and without an error');
	if (hasExt4Tools) checkExt4(t, path);
	else t.log('there is no e2fsck here');
}
