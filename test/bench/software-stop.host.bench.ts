/**
 * Measures how long it takes until all processors of a machine on the software processor have stopped, while all spin: as many as
 * the host has cores, and 64, whose threads wait for each other's turns. Aims: 100 ms, and 1 s on two cores.
 */
import {availableParallelism} from 'node:os';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {createVm, type Vm} from '#main/vm';
import {toJson} from '#support/inspect';
import {nowMs, sleep} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const limitMs = 120_000;
const devices = serialPorts({com1: {kind: 'file', path: '/dev/null'}});
const boot = {kind: 'embedded', commandLine: ['loop']} as const;

/** Waits until each processor has executed code. */
async function areAllUp(vm: Vm, count: number): Promise<void> {
	const end = nowMs() + limitMs;
	for (let index = 0; index < count; index++) {
		const isUp = async () => toJson(await vm.inspect(`vm/vcpus/${index}/activity`)) === 'runnable';
		while (!(await isUp())) {
			if (nowMs() > end) throw new Error(`processor ${index} does not come up`);
			await sleep(100);
		}
	}
}

async function stops(count: number): Promise<number[]> {
	const config = vmConfig({processors: {count}, memory: {sizeBytes: 2 ** 26}, devices, boot, hypervisor: 'software'});
	const vm = await createVm(config, {start: true});
	try {
		await areAllUp(vm, count);
		const samples: number[] = [];
		for (let round = 0; round < rounds; round++) {
			await sleep(1000);
			const start = nowMs();
			await vm.pause();
			samples.push(nowMs() - start);
			await vm.resume();
		}
		return samples;
	} finally {
		await vm.stop();
	}
}

const few = Math.max(1, availableParallelism());
report('Stop of spinning processors', [
	{name: `${few} processors, as many as cores`, unit: 'ms', samples: await stops(few)},
	{name: '64 processors', unit: 'ms', samples: await stops(64)},
]);
