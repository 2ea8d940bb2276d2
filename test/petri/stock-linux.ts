import {existsSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {VmOptions} from '#main/config';
import {kvmKind} from '#vcpu-worker/kvm';
import {type TestVm, testVm} from './test-vm.ts';

const packages = join(process.cwd(), '.packages', 'linux');
const kernel = join(packages, 'vmlinuz');
const initrd = join(packages, 'initrd.cpio');

// The supervisor code of a stock kernel needs instructions that this kind of host emulates without (guide, "Hosts").
const runnable = existsSync(kernel) && kvmKind() !== 'pvm';

/** A test that boots a stock Linux kernel; skipped where there is none, or where it would not get through its boot. */
export const linuxTest = runnable ? test.serial : test.serial.skip;

/** A machine with a stock kernel and these words on its command line. */
export function linuxVm(t: ExecutionContext, options: VmOptions, ...words: readonly string[]): Promise<TestVm> {
	// COM1 is a file here, so it does not become the console by itself.
	const boot = {kind: 'linux', kernel, initrd, commandLine: ['console=ttyS0', 'quiet', ...words]} as const;
	return testVm(t, {memory: {sizeBytes: 512 * 2 ** 20}, boot, ...options});
}

/** Boots a stock kernel whose first program runs these lines of shell and powers off. */
export async function runInLinux(
	t: ExecutionContext,
	options: VmOptions,
	lines: readonly string[],
	...words: readonly string[]
): Promise<TestVm> {
	const script = lines.join('; ');
	if (script.includes('"')) throw new TypeError('a kernel command line has no double quotes inside quoted words');
	const guest = await linuxVm(t, options, ...words, `OPENVMM_RUN="${script}"`);
	await guest.vm.start();
	return guest;
}
