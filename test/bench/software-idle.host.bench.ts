/**
 * Measures what Debian's cloud kernel costs the host while it waits for a line on its console, on the software processor and on QEMU's
 * (`-accel tcg`) in turn: processor time with 4 processors (aim: 3 % of a core), and memory beyond its RAM with 1 and with 8.
 */

import {stockFiles} from '#test/stock-kernels';
import {both, GuestProcess, nowMs, peer, sleep} from './guest-process.ts';
import {report} from './report.ts';

const rounds = Number(process.env['OPENVMM_BENCH_ROUNDS'] ?? 5);
const words = 'console=ttyS0 quiet panic=-1 cryptomgr.notests openvmm.test=echo';
const memoryMib = 512;
/** The kernel has things to do for a while after its start. */
const settleMs = 5000;
const windowMs = 10_000;

/** Boots the guest, and measures it when it has come to rest. */
async function atRest<T>(
	who: string,
	processors: number,
	measure: (guest: GuestProcess) => T | Promise<T>,
): Promise<T> {
	const guest = new GuestProcess(who, {...stockFiles('cloud'), words, memoryMib, processors});
	try {
		await guest.said('openvmm-guest: ready');
		await sleep(settleMs);
		return await measure(guest);
	} finally {
		await guest.kill();
	}
}

async function idlePercent(guest: GuestProcess): Promise<number> {
	const [cpuMs, startMs] = [guest.cpuMs(), nowMs()];
	await sleep(windowMs);
	return ((guest.cpuMs() - cpuMs) / (nowMs() - startMs)) * 100;
}

const samples = both.map((name) => ({name, idle: [] as number[], one: [] as number[], eight: [] as number[]}));
for (let round = 0; round < rounds; round++) {
	for (const {name, idle, one, eight} of samples) {
		idle.push(await atRest(name, 4, idlePercent));
		one.push(await atRest(name, 1, (guest) => guest.ownMib()));
		eight.push(await atRest(name, 8, (guest) => guest.ownMib()));
	}
}
const figures = (kind: 'idle' | 'one' | 'eight', unit: string) =>
	samples.map((each) => ({name: each.name, unit, samples: each[kind]}));
report('Idle Debian, 4 processors', figures('idle', '% of a core'), peer);
report('Memory beyond RAM after a boot of Debian, 1 processor', figures('one', 'MiB'), peer);
report('Memory beyond RAM after a boot of Debian, 8 processors', figures('eight', 'MiB'), peer);
