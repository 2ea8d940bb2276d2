/**
 * Measures the start of a Debian with systemd (`npm run flowey -- test --all` has its programs) on two processors in software beside QEMU's (`-accel tcg`): the same kernel, initial
 * file system, disk and command line, until systemd says that all is up. Aim: twice QEMU's time, and in the end less than it.
 */
import {closeSync, copyFileSync, fsyncSync, mkdtempSync, openSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {both, GuestProcess, patience, peer} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const image = join(process.cwd(), '.packages/user-land');
const folder = mkdtempSync(join(tmpdir(), 'openvmm-bench-'));
const [disk, script] = [join(folder, 'disk'), join(folder, 'script')];
/** Nothing is taken for dead. */
const words = `console=ttyS0 quiet ${patience} nowatchdog systemd.service_watchdogs=no systemd.default_timeout_start_sec=1h`;
const sectorBytes = 512;

/** Milliseconds until all is up, and of processor time. */
async function measure(who: string): Promise<readonly [timeMs: number, cpuMs: number]> {
	copyFileSync(join(image, 'disk.img'), disk);
	// What was copied is not to be written to the host's disk while the guest runs.
	const copied = openSync(disk, 'r+');
	fsyncSync(copied);
	closeSync(copied);
	const guest = new GuestProcess(who, {
		...{kernel: join(image, 'vmlinuz'), initrd: join(image, 'initrd.gz'), words},
		...{memoryMib: 1024, processors: 2, disks: {system: disk, script}},
	});
	try {
		const {text, atMs} = await guest.said(/state=\w+\r?\n/);
		if (text.trim() !== 'state=running') throw new Error(`systemd in the guest of ${who} says: ${text}`);
		return [atMs - guest.startMs, guest.cpuMs()];
	} finally {
		await guest.kill();
	}
}

try {
	writeFileSync(script, 'echo "state=$(systemctl is-system-running --wait)"\n'.padEnd(sectorBytes, '\n'));
	const samples = both.map((name) => ({name, time: [] as number[], cpu: [] as number[]}));
	for (let round = 0; round < rounds; round++) {
		for (const {name, time, cpu} of samples) {
			const [timeMs, cpuMs] = await measure(name);
			time.push(timeMs);
			cpu.push(cpuMs);
		}
	}
	const figures = (kind: 'time' | 'cpu') => samples.map((each) => ({name: each.name, unit: 'ms', samples: each[kind]}));
	report('Debian with systemd until all is up, 2 processors', figures('time'), peer);
	report('Debian with systemd until all is up, 2 processors: processor time', figures('cpu'), peer);
} finally {
	rmSync(folder, {recursive: true, force: true});
}
