/**
 * Measures what a profile costs a guest on the software processor: instructions a second of processor time with samples taken and
 * without, by turns in one machine. What is measured is the processor's thread; the main thread's part is the machine's anyway.
 */
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import {vmConfig} from '#main/config';
import {createVm, type Vm} from '#main/vm';
import {toJson} from '#support/inspect';
import {profileTarget} from '#test/tmk';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const turnMs = 2000;
const rates = [100, 500, 1000] as const;

const numberAt = async (vm: Vm, path: string) => Number(toJson(await vm.inspect(path)));
const instructionsOf = (vm: Vm) => numberAt(vm, 'vm/vcpus/0/counters/instructions');
const nanosecondsOf = (vm: Vm) => numberAt(vm, 'vm/workers/vcpu-0/cpu');

/** Million instructions a second of the time that the processor's thread had a processor. */
async function speed(vm: Vm): Promise<number> {
	const [instructions, ns] = [await instructionsOf(vm), await nanosecondsOf(vm)];
	await sleep(turnMs);
	return (((await instructionsOf(vm)) - instructions) / ((await nanosecondsOf(vm)) - ns)) * 1000;
}

const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
try {
	const image = join(folder, 'kernel');
	writeFileSync(image, profileTarget.image);
	const boot = {kind: 'flat', image, address: profileTarget.loadAddress, mode: 'long'} as const;
	const vm = await createVm(vmConfig({memory: {sizeBytes: 64 * 2 ** 20}, boot, devices: [], hypervisor: 'software'}));
	await vm.start();
	await speed(vm);
	const without: number[] = [];
	const sampled = rates.map((): number[] => []);
	for (let round = 0; round < rounds; round++) {
		without.push(await speed(vm));
		for (const [index, hz] of rates.entries()) {
			const stop = vm.listenToSamples(hz, {sample() {}});
			sampled[index]?.push(await speed(vm));
			stop();
		}
	}
	await vm.stop();
	const peer = 'without a profile';
	report(
		'A profile of a guest on the software processor',
		[
			{name: peer, unit: 'M instr/s', samples: without},
			...rates.map((hz, index) => ({name: `${hz} samples/s`, unit: 'M instr/s', samples: sampled[index] ?? []})),
		],
		peer,
	);
} finally {
	rmSync(folder, {recursive: true, force: true});
}
