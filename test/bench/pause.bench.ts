/** Measures how long a pause takes: every busy processor out of the guest, every back end at rest. */
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {report} from './report.ts';

const rounds = 100;
const devices = serialPorts({com1: {kind: 'file', path: '/dev/null'}});

async function pauses(count: number): Promise<number[]> {
	const boot = {kind: 'embedded', commandLine: ['loop']} as const;
	const vm = await createVm(vmConfig({processors: {count}, memory: {sizeBytes: 2 ** 26}, devices, boot}), {
		start: true,
	});
	await new Promise((resolve) => setTimeout(resolve, 3000));
	const samples: number[] = [];
	for (let round = 0; round < rounds; round++) {
		const start = performance.now();
		await vm.pause();
		samples.push(performance.now() - start);
		await vm.resume();
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	await vm.stop();
	return samples;
}

report(
	'Pause of busy processors',
	[
		{name: '1 processor', unit: 'ms', samples: await pauses(1)},
		{name: '8 processors', unit: 'ms', samples: await pauses(8)},
	],
	'1 processor',
);
