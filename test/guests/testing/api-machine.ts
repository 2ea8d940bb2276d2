import {chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {type CreateVmOptions, VM} from '#main/api';
import {backEndHere, patience, type X86BackEnd} from '#test/petri';
import {stockFiles} from '#test/stock-kernels';

/** A host may be busy: what takes longer fails by the test's own limit. */
const startTimeout = 500_000;

/** A folder that goes with its test. */
export function testFolder(t: ExecutionContext, name: string): string {
	const folder = mkdtempSync(join(tmpdir(), `openvmm-${name}-`));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return folder;
}

/** Choices that every machine of this run has. */
export const onBackEnd = {startTimeout, machine: {hypervisor: backEndHere as X86BackEnd}} as const;

/** A machine with Debian's kernel and the tests' initial file system, which has a busybox and drivers. */
export function debianMachine(t: ExecutionContext, given: CreateVmOptions = {}): CreateVmOptions {
	t.timeout(600_000);
	const {kernel, initrd} = stockFiles('cloud');
	return {
		kernel: {kernel, cache: testFolder(t, 'cache')},
		initrd,
		memory: '512M',
		commandLine: ['cryptomgr.notests', ...patience],
		...onBackEnd,
		...given,
	};
}

/** Has a machine end with its test, if not before. */
export function endsWith(t: ExecutionContext, vm: VM): VM {
	t.teardown(() => vm[Symbol.asyncDispose]());
	return vm;
}

/** A folder of the host that is a small system: busybox of the tests' machine. */
export async function makeRoot(t: ExecutionContext, root: string): Promise<void> {
	for (const name of ['bin', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp']) mkdirSync(join(root, name), {recursive: true});
	const first = endsWith(t, await VM.create(debianMachine(t, {network: false})));
	writeFileSync(join(root, 'bin/busybox'), await first.files.read('/bin/busybox'));
	chmodSync(join(root, 'bin/busybox'), 0o755);
	symlinkSync('busybox', join(root, 'bin/sh'));
	writeFileSync(join(root, 'etc/name'), 'of the folder\n');
	await first[Symbol.asyncDispose]();
}
