/** Measures user-mode work on one and on two processors in software, which the guest itself times. Aim: 1.85 × one, on two cores. */
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {serialPorts} from '#devices/chipset/serial-16550';
import {vmConfig} from '#main/config';
import {createVm} from '#main/vm';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
/** Chunks: some seconds of one processor. */
const work = 40_000;

/** Million items a second, as the guest measures it. */
async function throughput(count: number): Promise<number> {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
	const path = join(folder, 'com1');
	try {
		const boot = {kind: 'embedded', commandLine: [`work=${work}`]} as const;
		const devices = serialPorts({com1: {kind: 'file', path}});
		const vm = await createVm(vmConfig({processors: {count}, boot, devices, hypervisor: 'software'}));
		await vm.start();
		await vm.ended;
		return Number(readFileSync(path, 'latin1').match(/\(([\d.]+) M items\/s\): OK/)?.[1]);
	} finally {
		rmSync(folder, {recursive: true, force: true});
	}
}

const [one, two]: [number[], number[]] = [[], []];
for (let round = 0; round < rounds; round++) {
	one.push(await throughput(1));
	two.push(await throughput(2));
}
const peer = '1 processor';
report(
	'User-mode work on the software processor',
	[
		{name: peer, unit: 'M items/s', samples: one},
		{name: '2 processors', unit: 'M items/s', samples: two},
	],
	peer,
);
