import {randomUUID} from 'node:crypto';
import {appendFileSync, copyFileSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {BootConfig, VmOptions} from '#main/config';
import {bytesContent, FileTree} from '#main/file-tree';
import {packCpio} from '#main/images';
import {hasStockKernel, type StockKernel, stockFiles} from '#test/stock-kernels';
import {runsStockKernels, x86BackEnds} from './back-ends.ts';
import type {TestVm} from './test-vm.ts';
import {type MakeMachine, vmTest} from './vm-test.ts';

/** A test that boots a stock Linux kernel; skipped where there is none, or where it would not get through its boot. */
export const linuxTest = (
	title: string,
	body: (t: ExecutionContext, machine: MakeMachine) => Promise<void>,
	{skip = false, kernel = 'cloud'}: {readonly skip?: boolean; readonly kernel?: StockKernel} = {},
): void => vmTest(title, {on: x86BackEnds, skip: skip || !hasStockKernel(kernel) || !runsStockKernels()}, body);

/**
 * Words by which a kernel takes nothing for dead on a busy host: lockups and stalls are told after minutes, as are commands of NVMe
 * without an answer. What stands still longer fails by its message, or by the test's own limit.
 */
export const patience: readonly string[] = [
	'watchdog_thresh=60',
	'rcupdate.rcu_cpu_stall_timeout=300',
	'nvme_core.io_timeout=120',
	'nvme_core.admin_timeout=120',
];

/** Boots a stock kernel with these words on its command line. */
export const linuxBoot = (kernel: StockKernel, ...words: readonly string[]): BootConfig => ({
	kind: 'linux',
	...stockFiles(kernel),
	// COM1 is a file here, so it does not become the console by itself.
	commandLine: ['console=ttyS0', 'quiet', ...patience, ...words],
});

/** Makes a machine that boots a kernel. */
type MakeVm = (options: VmOptions) => Promise<TestVm>;

/** A machine with a stock kernel and these words on its command line. */
export function linuxVm(machine: MakeVm, options: VmOptions, ...words: readonly string[]): Promise<TestVm> {
	// The kernel's tests of its own ciphers take a sixth of a boot; `cleanBootTest` has them.
	const boot = linuxBoot('cloud', 'cryptomgr.notests', ...words);
	// NUMA nodes have the memory where there are any.
	const memory = options.numa ? {} : {sizeBytes: 512 * 2 ** 20};
	return machine({memory, boot, ...options});
}

/** Boots a stock kernel, that for virtual machines unless another one is asked for, whose first program runs these lines of shell and powers off. */
export async function runInLinux(
	machine: MakeVm,
	{kernel = 'cloud', ...options}: VmOptions & {readonly kernel?: StockKernel},
	lines: readonly string[],
	...words: readonly string[]
): Promise<TestVm> {
	const commandLine = linuxBoot(kernel, ...words, `OPENVMM_RUN="sh /${scriptName}"`);
	const boot = {...commandLine, initrd: await initrdWith(kernel, lines)} as BootConfig;
	const guest = await linuxVm(machine, {boot, ...options});
	await guest.vm.start();
	return guest;
}

const scriptName = 'script';
let folder: string | undefined;

/** The initial file system with a script in it: a command line is short. Machines read it again when they start again. */
async function initrdWith(kernel: StockKernel, lines: readonly string[]): Promise<string> {
	if (folder === undefined) {
		const made = mkdtempSync(join(tmpdir(), 'openvmm-initrd-'));
		process.once('exit', () => rmSync(made, {recursive: true, force: true}));
		folder = made;
	}
	const script = new FileTree(0);
	script.addFile(scriptName, bytesContent(Buffer.from(lines.map((line) => `${line}\n`).join(''))));
	const path = join(folder, randomUUID());
	copyFileSync(stockFiles(kernel).initrd, path);
	for await (const bytes of packCpio(script)) appendFileSync(path, bytes);
	return path;
}

/** Memory of {@link linuxReport}'s machine, in bytes. */
export const reportMemoryBytes: number = 512 * 2 ** 20;

/** Boots to user space, which says what it has found and powers off; returns what it said, by name. */
export async function linuxReport(
	t: ExecutionContext,
	machine: MakeMachine,
	options: VmOptions,
	...words: readonly string[]
): Promise<Readonly<Record<string, string>>> {
	const memory = {sizeBytes: reportMemoryBytes};
	const guest = await linuxVm(machine, {memory, ...options}, 'openvmm.test=report', ...words);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);
	const facts = reportedFacts(guest.output);
	t.log(facts);
	return facts;
}

/** What a guest has said that it sees, by name. */
export const reportedFacts = (output: string): Readonly<Record<string, string>> =>
	Object.fromEntries([...output.matchAll(/^openvmm-guest: (\w+)=(.*?)\r?$/gm)].map(([, name, value]) => [name, value]));

/** Gives the number of times that an interrupt came in a {@link linuxReport}, by the name that the kernel gives it. */
export const interruptCount = (facts: Readonly<Record<string, string>>, name: string): number =>
	Number(new RegExp(`${name}:(\\d+)`).exec(facts['interrupts'] ?? '')?.[1] ?? Number.NaN);
