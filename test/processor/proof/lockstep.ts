import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {SHARE_ENV, Worker} from 'node:worker_threads';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {type CreateOptions, createVm, type HostOptions} from '#main/vm';
import {WorkerStock} from '#main/workers';
import {adoptWorker} from '#support/rpc';
import {hasStockKernel, stockFiles} from '#test/stock-kernels';
import type {VcpuWorker} from '#vcpu-worker/worker';
import type {LockstepMessage, LockstepReport} from './lockstep-vcpu.ts';
import type {ProofPart, ShareResult, Tell} from './part.ts';

/** With its self-tests of cryptography, which are half of the code. */
const commandLine = ['console=ttyS0', 'quiet', 'panic=-1', 'openvmm.test=report'];
const memoryBytes = 512 * 2 ** 20;

/** Boots on one processor in lockstep, until the guest has powered off. */
async function boot(tell: Tell): Promise<{readonly report: LockstepReport; readonly output: string}> {
	const directory = mkdtempSync(join(tmpdir(), 'openvmm-lockstep-'));
	const path = join(directory, 'com1');
	const worker = new Worker(new URL('./lockstep-vcpu.ts', import.meta.url), {env: SHARE_ENV, trackUnmanagedFds: false});
	const report = new Promise<LockstepReport>((resolve, reject) => {
		worker.on('message', (message: LockstepMessage) => {
			if ('told' in message) tell(message.told);
			else if ('compared' in message) resolve(message.compared);
		});
		worker.once('exit', () => reject(new Error('the processor has ended without a report')));
	});
	const vcpu = adoptWorker<VcpuWorker>(worker);
	const threads = new WorkerStock();
	const stock = {
		takeVcpu: () => vcpu,
		takeDevices: (...args: Parameters<WorkerStock['takeDevices']>) => threads.takeDevices(...args),
	};
	const options: CreateOptions & HostOptions = {stock};
	const config = vmConfig({
		hypervisor: 'software',
		processors: {count: 1},
		memory: {sizeBytes: memoryBytes},
		devices: serialPorts({com1: {kind: 'file', path}}),
		boot: {kind: 'linux', ...stockFiles('cloud'), commandLine},
	});
	const vm = await createVm(config, options);
	try {
		await vm.start();
		await vm.ended;
		await vm.stop();
		return {report: await report, output: readFileSync(path, 'latin1')};
	} finally {
		await vm.stop();
		rmSync(directory, {recursive: true, force: true});
	}
}

/** A stock kernel to its shell and off again, each block of which is executed by the interpreter and by its translation, the first few times. */
export const lockstep: ProofPart = {
	name: 'lockstep',
	title: "a boot of Debian's kernel does the same by the interpreter and by translations",
	oracle: 'interpreter',
	unit: 'boots',
	daily: 0,
	whole: 1,
	share: 1,
	threads: 1,
	obstacle: () =>
		hasStockKernel() ? undefined : 'there is no kernel in .packages/linux: npm run flowey -- restore-packages',
	async run({count}, tell): Promise<ShareResult> {
		const {report, output} = await boot(tell);
		const {blocks, steps, bytes, rounds, instructions, differences, descriptions} = report;
		// A boot that compares nothing shows nothing.
		const isUp = output.includes('openvmm-guest: ready') && rounds > 0;
		return {
			cases: count,
			differing: differences + (isUp ? 0 : 1),
			differences: [
				...descriptions.slice(0, 10),
				...(isUp ? [] : [`the guest was not up, or nothing was compared (${rounds}): ${output.slice(-500)}`]),
			],
			counts: {instructions, blocks, steps, 'bytes of WebAssembly': bytes, 'executions compared': rounds},
		};
	},
};
