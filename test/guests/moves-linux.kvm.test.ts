import {linuxVm, machinesOn, moveTests, moveVm} from '#test/petri';
import {hasStockKernel} from '#test/stock-kernels';

/**
 * Twice a second: a number, the kernel's uptime, its wall clock, the real-time clock. A program computes with floating point all the while,
 * always the same.
 */
const working = [
	"(awk 'BEGIN{for(;;){s=0;for(i=1;i<50000;i++)s+=i/(i+.3);print s}}' | while read s; do echo sum $s; done) &",
	'i=0; while [ $i -lt 30 ]; do',
	'read up rest </proc/uptime; read rtc </sys/class/rtc/rtc0/since_epoch;',
	'echo tick $i up $up date $(date +%s) rtc $rtc; i=$((i+1)); sleep 0.5; done; kill %1;',
	'cat /sys/devices/system/clocksource/clocksource0/current_clocksource; grep -m1 flags /proc/cpuinfo; dmesg | tail -n 30',
].join(' ');

/** Matches Linux's words when its watchdogs, its clocks or its processors think that something is wrong. */
const complaints =
	/soft lockup|hard lockup|clocksource.*unstable|skipping watchdog|rcu.*stall|workqueue lockup|blocked for|unchecked MSR|general protection|Call Trace|mce:.*error/i;

interface Tick {
	readonly number: number;
	/** Seconds. */
	readonly uptime: number;
	readonly rtc: number;
}
const ticks = (output: string): Tick[] =>
	[...output.matchAll(/tick (\d+) up ([\d.]+) date \d+ rtc (\d+)\r?\n/g)].map(([, number, uptime, rtc]) => ({
		...{number: Number(number), uptime: Number(uptime), rtc: Number(rtc)},
	}));
const enoughTicks = /(tick [^\n]*\n[\s\S]*){8}/;

moveTests(
	({from, to}) => `Linux goes from ${from} to ${to} and back, with its clocks and its floating point`,
	async (t, {from, to, cpu}) => {
		const options = {processors: {count: 2}, cpu, memory: {sizeBytes: 256 * 2 ** 20}};
		const words = ['cryptomgr.notests', 'openvmm.test=report', `OPENVMM_RUN="${working}"`];
		const guest = await linuxVm(machinesOn(t, from), options, ...words);
		// A processor in software on an emulated one boots in minutes.
		t.timeout(1_800_000);
		await guest.vm.start();
		await guest.waitFor(enoughTicks);
		const restoring = {...options, boot: {kind: 'none'}} as const;
		const startedAt = Date.now();
		const moved = await moveVm(t, guest, to, restoring);
		await moved.waitFor(enoughTicks);
		const back = await moveVm(t, moved, from, restoring);
		t.deepEqual(await back.vm.ended, {kind: 'power-off'}, back.output);
		const passedS = (Date.now() - startedAt) / 1000 + 1;
		const outputs = [guest, moved, back].map(({output}) => output);
		const all = outputs.join('');
		t.log(all);
		t.deepEqual(
			ticks(all).map(({number}) => number),
			Array.from({length: 30}, (_, number) => number),
			all,
		);
		const uptimes = ticks(all).map(({uptime}) => uptime);
		t.deepEqual(
			uptimes,
			uptimes.toSorted((one, two) => one - two),
		);
		const before = ticks(outputs[0] ?? '').at(-1)?.uptime ?? 0;
		t.true((uptimes.at(-1) ?? 0) - before < passedS, all);
		for (const output of outputs) {
			// The first of them may have been saved amid its reads.
			const [first, last] = [ticks(output)[1], ticks(output).at(-1)] as [Tick, Tick];
			const [uptime, rtc] = [last.uptime - first.uptime, last.rtc - first.rtc];
			t.true(Math.abs(uptime - rtc) < 2, `${uptime} s by the kernel's clock, ${rtc} s by the real-time clock\n${all}`);
		}
		const sums = [...all.matchAll(/^sum ([\d.]+)\r?$/gm)].map(([, sum]) => sum);
		t.true(sums.length > 3, all);
		t.deepEqual([...new Set(sums)].length, 1, `${sums}`);
		t.notRegex(all, complaints);
	},
	// It goes both ways so; its boot in software takes a quarter of an hour on an emulated processor.
	{skip: !hasStockKernel(), starts: ['kvm']},
);
