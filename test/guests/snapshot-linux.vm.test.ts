import type {OpenSnapshot} from '#main/snapshot';
import {irqchipsHere, linuxTest, linuxVm, madeEarlier, openTestSnapshot, snapshotPlace} from '#test/petri';

const week = 7 * 86_400;

/**
 * Twice a second: a number, the kernel's uptime, its wall clock, the real-time clock; one of two processors is kept busy. Its wall
 * clock says that it is a week ago, as it would in a snapshot that is a week old.
 * With both processors busy a task might wait for long: guide, "Snapshots", on Debian's scheduler.
 */
const ticking = [
	`date -s @$(($(date +%s)-${week})) >/dev/null;`,
	'(while :; do :; done) &',
	'i=0; while [ $i -lt 20 ]; do',
	'read up rest </proc/uptime; read rtc </sys/class/rtc/rtc0/since_epoch;',
	'echo tick $i up $up date $(date +%s) rtc $rtc; i=$((i+1)); sleep 0.5; done; kill %1;',
	'cat /sys/devices/system/clocksource/clocksource0/current_clocksource; dmesg | tail -n 30',
].join(' ');

interface Tick {
	readonly number: number;
	/** Seconds. */
	readonly uptime: number;
	/** Seconds since 1970, by the kernel's wall clock and by the real-time clock. */
	readonly date: number;
	readonly rtc: number;
}

const ticks = (output: string): Tick[] =>
	[...output.matchAll(/tick (\d+) up ([\d.]+) date (\d+) rtc (\d+)\r?\n/g)].map(([, number, uptime, date, rtc]) => ({
		number: Number(number),
		uptime: Number(uptime),
		date: Number(date),
		rtc: Number(rtc),
	}));

/** The snapshot as it would be had it been made a week earlier. */
const weekOld = (snapshot: OpenSnapshot): OpenSnapshot => madeEarlier(snapshot, week * 1000);

/** Matches Linux's words when its watchdogs or its clocks think that something is wrong. */
const complaints =
	/soft lockup|hard lockup|clocksource.*unstable|skipping watchdog|rcu.*stall|workqueue lockup|blocked for/i;

for (const irqchip of irqchipsHere) {
	linuxTest(
		`Linux goes on from a snapshot, and its clocks where they were or a week on, irqchip ${irqchip}`,
		async (t, machine) => {
			const directory = snapshotPlace(t);
			const options = {processors: {count: 2}, irqchip, memory: {sizeBytes: 256 * 2 ** 20}};
			const words = ['openvmm.test=report', `OPENVMM_RUN="${ticking}"`];
			const guest = await linuxVm(machine, options, ...words);
			await guest.vm.start();
			await guest.waitFor(/tick 2 [^\n]*\n/);
			await guest.vm.pause();
			const last = ticks(guest.output).at(-1) as Tick;
			await guest.vm.saveSnapshot(directory);
			await guest.vm.stop();

			for (const clock of ['continue', 'catch-up'] as const) {
				const snapshot = weekOld(openTestSnapshot(t, directory));
				const restored = await machine({...options, boot: {kind: 'none'}}, {snapshot, clock});
				const startedAt = Math.floor(Date.now() / 1000);
				await restored.vm.start();
				await restored.waitFor(/(tick [^\n]*\n[\s\S]*){2}/);
				const firstBy = Math.ceil(Date.now() / 1000);
				t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
				const endedAt = Math.ceil(Date.now() / 1000);
				// The guest may have been saved amid the first one, with one clock read and another not.
				const seen = ticks(restored.output).slice(1);
				const [first] = seen as [Tick];
				const facts = `${JSON.stringify({clock, last, first, startedAt, firstBy, endedAt})}\n${restored.output}`;
				t.log(facts);
				t.is(first.number, last.number + 2, facts);
				t.is(seen.at(-1)?.number, 19, facts);
				const passed = {uptime: first.uptime - last.uptime, date: first.date - last.date};
				if (clock === 'continue') {
					t.true(passed.uptime > 0 && passed.uptime <= firstBy - startedAt + 1, facts);
					t.true(passed.date >= 0 && passed.date <= firstBy - startedAt + 1, facts);
				} else {
					t.true(passed.uptime > week, facts);
					for (const {date} of seen) t.true(date >= startedAt - 2 && date <= endedAt + 2, facts);
				}
				for (const {rtc} of seen) t.true(rtc >= startedAt - 1 && rtc <= endedAt + 1, facts);
				const uptimes = seen.map(({uptime}) => uptime);
				t.deepEqual(
					uptimes,
					uptimes.toSorted((one, other) => one - other),
				);
				t.notRegex(restored.output, complaints);
			}
		},
	);
}
