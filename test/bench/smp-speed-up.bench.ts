/** The same user-mode work on one and on two virtual processors. */
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {median, report} from './report.ts';

const rounds = 5;
/** Chunks: about 0.4 s of one native processor of 2.4 G instructions a second, seconds where it is emulated. */
const work = 30_000;

/** Million items a second, as the guest measures it. */
async function throughput(count: number): Promise<number> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
	const path = join(folder, 'com1');
	try {
		const boot = {kind: 'embedded', commandLine: [`work=${work}`]} as const;
		const vm = await createVm(
			vmConfig({processors: {count}, boot, devices: serialPorts({com1: {kind: 'file', path}})}),
		);
		await vm.start();
		await vm.ended;
		return Number(readFileSync(path, 'latin1').match(/\(([\d.]+) M items\/s\): OK/)?.[1]);
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

const one: number[] = [];
const two: number[] = [];
for (let round = 0; round < rounds; round++) {
	one.push(await throughput(1));
	two.push(await throughput(2));
}
report(
	'User-mode work',
	[
		{name: '1 processor', unit: 'M items/s', samples: one},
		{name: '2 processors', unit: 'M items/s', samples: two},
	],
	'1 processor',
);
console.log(`  speed-up of the medians: ${(median(two) / median(one)).toFixed(2)}`);
