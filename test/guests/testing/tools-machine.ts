import {existsSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import type {CreateVmOptions, VM} from '#main/api';
import {testVm} from '#main/test-machine';
import {runsStockKernels, vmTest} from '#test/petri';
import {hasStockKernel, type StockKernel} from '#test/stock-kernels';
import {debianMachine} from './api-machine.ts';

/** A disk of the tests' pipeline with Debian's curl, git, iperf3, Node.js, ssh and apt. It is only read. */
export const toolsDisk: string = join(process.cwd(), '.packages/guest-tools/disk.img');

/** Busy hosts need more than the time that other tests have; AVA's own limit is behind it. */
const limitMs = 20 * 60_000;

/** A test whose guests run these programs. */
export function toolsTest(
	title: string,
	body: (t: ExecutionContext) => Promise<void>,
	{skip = false, kernel = 'cloud'}: {readonly skip?: boolean; readonly kernel?: StockKernel} = {},
): void {
	const cannot = skip || !existsSync(toolsDisk) || !hasStockKernel(kernel) || !runsStockKernels();
	vmTest(title, {on: ['software'], skip: cannot}, body);
}

/** A machine whose root has these programs. When its test fails, what it has said is shown. */
export async function toolsMachine(t: ExecutionContext, options: CreateVmOptions = {}): Promise<VM> {
	const vm = await testVm(t, debianMachine(t, {image: toolsDisk, memory: '768M', ...options}));
	t.timeout(limitMs);
	t.teardown(() => {
		if (!t.passed) t.log(vm.console.text.slice(-8000));
	});
	return vm;
}

/** Says nothing where the kernel has nothing to complain of. */
export const kernelComplaint = async (vm: VM): Promise<string> =>
	(await vm.exec("dmesg | grep -E 'WARNING: CPU|BUG:|Call Trace|csum|soft lockup|blocked for more|Out of memory'"))
		.stdout;
