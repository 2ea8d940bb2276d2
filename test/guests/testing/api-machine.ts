import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {CreateVmOptions, VM} from '#main/api';
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
