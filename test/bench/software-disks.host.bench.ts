/**
 * Measures what `fio` gets of a disk in a guest of the software processor beside the same in QEMU's (`-accel tcg`): virtio-blk and NVMe, 4 KiB
 * at random places of a file in the host's page cache at depth 32, one processor. What bounds both is the guest's kernel, which software
 * executes. Aim: 0.7 of QEMU's rate, and in the end as much.
 */
import {copyFileSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {both, GuestProcess, patience, peer} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 3);
const image = join(process.cwd(), '.packages/user-land');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const [system, script, tried] = ['system', 'script', 'tried'].map((name) => join(folder, name)) as [
	string,
	string,
	string,
];
const words = `console=ttyS0 quiet root=/dev/vda init=/etc/openvmm/run ${patience}`;
/** Of each job, and before its rate counts: until then the guest and its fio are new to both. */
const seconds = 5;
const triedBytes = 64 * 2 ** 20;
const sectorBytes = 512;
const kinds = ['randread', 'randwrite'] as const;
/** Devices, and what the tried disk is to the guest. */
const devices = {'virtio-blk': '/dev/vdc', nvme: '/dev/nvme0n1'} as const;
type Device = keyof typeof devices;

/** Rates in operations a second; fields of fio's terse output are its error and both rates. */
async function measure(who: string, device: Device): Promise<readonly number[]> {
	copyFileSync(join(image, 'disk.img'), system);
	writeFileSync(tried, Buffer.alloc(triedBytes, 'data'));
	const jobs = kinds.map(
		(kind) =>
			`echo "${kind} $(fio --name=job --filename=${devices[device]} --direct=1 --ioengine=libaio --iodepth=32 --bs=4k --rw=${kind} --size=${triedBytes} --time_based --ramp_time=${seconds} --runtime=${seconds} --minimal | cut -d';' -f5,8,49)"\n`,
	);
	const text = jobs.join('');
	writeFileSync(script, text.padEnd(Math.ceil(text.length / sectorBytes) * sectorBytes, '\n'));
	const onVirtio = {system, script, ...(device === 'virtio-blk' && {tried})};
	const guest = new GuestProcess(who, {
		...{kernel: join(image, 'vmlinuz'), initrd: join(image, 'initrd.gz'), words},
		...{memoryMib: 512, processors: 1, disks: onVirtio},
		...(device === 'nvme' && {nvme: {tried}}),
	});
	try {
		const rates: number[] = [];
		for (const [index, kind] of kinds.entries()) {
			const {text: said} = await guest.said(new RegExp(`^${kind} [^\\r\\n]*\\r?\\n`, 'm'));
			const [error, ...found] = said.trim().split(' ')[1]?.split(';').map(Number) ?? [];
			const rate = found[index];
			if (error !== 0 || rate === undefined || !(rate > 0)) throw new Error(`fio in the guest of ${who} says: ${said}`);
			rates.push(rate);
		}
		return rates;
	} finally {
		await guest.kill();
	}
}

try {
	for (const device of Object.keys(devices) as Device[]) {
		const samples = both.map((name) => ({name, rates: kinds.map(() => [] as number[])}));
		for (let round = 0; round < rounds; round++) {
			for (const {name, rates} of samples)
				for (const [index, rate] of (await measure(name, device)).entries()) rates[index]?.push(rate);
		}
		for (const [index, kind] of kinds.entries()) {
			const figures = samples.map(({name, rates}) => ({name, unit: 'IOPS', samples: rates[index] ?? []}));
			report(`fio ${kind}, 4 KiB, depth 32, on ${device}`, figures, peer);
		}
	}
} finally {
	rmSync(folder, {recursive: true, force: true});
}
