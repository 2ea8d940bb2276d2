import {hearButton, linuxVm, machinesOn, moveTests, moveVm} from '#test/petri';
import {hasStockKernel} from '#test/stock-kernels';
import {hostBetween, type Tick, ticking, ticks} from './testing/ticks.ts';

/** A guest's clocks, and a program that computes with floating point all the while, always the same. */
const working = [
	`${hearButton};`,
	"(awk 'BEGIN{for(;;){s=0;for(i=1;i<50000;i++)s+=i/(i+.3);print s}}' | while read s; do echo sum $s; done) &",
	`${ticking}; kill %1;`,
	'cat /sys/devices/system/clocksource/clocksource0/current_clocksource; grep -m1 flags /proc/cpuinfo; dmesg | tail -n 30',
].join(' ');

/** Matches Linux's words when its watchdogs, its clocks or its processors think that something is wrong. */
const complaints =
	/soft lockup|hard lockup|clocksource.*unstable|skipping watchdog.*_nsec: \d{13}|detected (expedited )?stall|workqueue lockup|blocked for|unchecked MSR|general protection|Call Trace|mce:.*error/i;

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
		const moved = await moveVm(t, guest, to, restoring);
		await moved.waitFor(enoughTicks);
		const back = await moveVm(t, moved, from, restoring);
		await back.waitFor(enoughTicks);
		await back.vm.powerButton();
		t.deepEqual(await back.vm.ended, {kind: 'power-off'}, back.output);
		const endedAt = Date.now() / 1000;
		const outputs = [guest, moved, back].map(({output}) => output);
		const all = outputs.join('');
		t.log(all);
		t.deepEqual(
			ticks(all).map(({number}) => number),
			ticks(all).map((_, index) => index),
			all,
		);
		const uptimes = ticks(all).map(({uptime}) => uptime);
		t.deepEqual(
			uptimes,
			uptimes.toSorted((one, two) => one - two),
		);
		const before = ticks(outputs[0] ?? '').at(-1) as Tick;
		t.true((uptimes.at(-1) ?? 0) - before.uptime < endedAt - before.from + 1, all);
		for (const output of outputs) {
			// The first of them may have been saved amid its reads.
			const [first, last] = [ticks(output)[1], ticks(output).at(-1)] as [Tick, Tick];
			const [uptime, {least, most}] = [last.uptime - first.uptime, hostBetween(first, last)];
			const told = `${uptime} s by the kernel's clock, ${least} to ${most} s by the real-time clock\n${all}`;
			t.true(uptime > least - 1 && uptime < most + 1, told);
		}
		const sums = [...all.matchAll(/^sum ([\d.]+)\r?$/gm)].map(([, sum]) => sum);
		t.true(sums.length > 3, all);
		t.deepEqual([...new Set(sums)].length, 1, `${sums}`);
		t.notRegex(all, complaints);
	},
	// It goes both ways so; its boot in software takes a quarter of an hour on an emulated processor.
	{skip: !hasStockKernel(), starts: ['kvm']},
);
