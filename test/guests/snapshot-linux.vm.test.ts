import type {OpenSnapshot} from '#main/snapshot';
import {hearButton, irqchipsHere, linuxTest, linuxVm, madeEarlier, openTestSnapshot, snapshotPlace} from '#test/petri';
import {aheadOfHost, type Tick, ticking, ticks} from './testing/ticks.ts';

const week = 7 * 86_400;

/**
 * Clocks of a guest of which one of two processors is kept busy. Its wall clock says that it is a week ago, as it would in a snapshot
 * that is a week old.
 * With both processors busy a task might wait for long: guide, "Snapshots", on Debian's scheduler.
 */
const script = [
	`${hearButton}; date -s @$(($(date +%s)-${week})) >/dev/null;`,
	'(while :; do :; done) &',
	`${ticking}; kill %1;`,
	'cat /sys/devices/system/clocksource/clocksource0/current_clocksource; dmesg | tail -n 30',
].join(' ');

/** The snapshot as it would be had it been made a week earlier. */
const weekOld = (snapshot: OpenSnapshot): OpenSnapshot => madeEarlier(snapshot, week * 1000);

/**
 * Matches Linux's words when its watchdogs or its clocks think that something is wrong. A busy host may keep a processor from looking at
 * its clock for seconds; for hours it does not.
 */
const complaints =
	/soft lockup|hard lockup|clocksource.*unstable|skipping watchdog.*_nsec: \d{13}|detected (expedited )?stall|workqueue lockup|blocked for/i;

for (const irqchip of irqchipsHere) {
	linuxTest(
		`Linux goes on from a snapshot, and its clocks where they were or a week on, irqchip ${irqchip}`,
		async (t, machine) => {
			const directory = snapshotPlace(t);
			const options = {processors: {count: 2}, irqchip, memory: {sizeBytes: 256 * 2 ** 20}};
			const words = ['openvmm.test=report', `OPENVMM_RUN="${script}"`];
			const guest = await linuxVm(machine, options, ...words);
			await guest.vm.start();
			await guest.waitFor(/tick 2 [^\n]*\n/);
			await guest.vm.pause();
			const pausedBy = Math.ceil(Date.now() / 1000);
			const before = ticks(guest.output);
			const last = before.at(-1) as Tick;
			await guest.vm.saveSnapshot(directory);
			await guest.vm.stop();

			for (const clock of ['continue', 'catch-up'] as const) {
				const snapshot = weekOld(openTestSnapshot(t, directory));
				const restored = await machine({...options, boot: {kind: 'none'}}, {snapshot, clock});
				const startedAt = Math.floor(Date.now() / 1000);
				await restored.vm.start();
				await restored.waitFor(/(tick [^\n]*\n[\s\S]*){2}/);
				const firstBy = Math.ceil(Date.now() / 1000);
				await restored.vm.powerButton();
				t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
				const endedAt = Math.ceil(Date.now() / 1000);
				// The guest may have been saved amid a line, and amid the first of these, with one clock read and another not.
				const all = ticks(guest.output + restored.output);
				const seen = all.slice(last.number + 2);
				const [first] = seen as [Tick];
				const facts = `${JSON.stringify({clock, last, first, pausedBy, startedAt, firstBy, endedAt})}\n${restored.output}`;
				t.log(facts);
				t.deepEqual(
					all.map(({number}) => number),
					all.map((_, index) => index),
					facts,
				);
				const passed = {uptime: first.uptime - last.uptime, date: first.date - last.date};
				const most = clock === 'continue' ? pausedBy - last.from + firstBy - startedAt : week + firstBy - last.from;
				for (const seconds of [passed.uptime, passed.date]) {
					t.true(clock === 'continue' ? seconds >= 0 : seconds >= week, facts);
					t.true(seconds <= most + 1, facts);
				}
				if (clock === 'catch-up') {
					const [then, now] = [aheadOfHost(before), aheadOfHost(seen)];
					t.true(now.most - week >= then.least - 1 && now.least - week <= then.most + 1, facts);
				}
				for (const {from, to} of seen) t.true(from >= startedAt - 1 && to <= endedAt + 1, facts);
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
