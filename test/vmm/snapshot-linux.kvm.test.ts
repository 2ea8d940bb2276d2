import {linuxTest, linuxVm, openTestSnapshot, snapshotPlace, testVm} from '#test/petri';

/** Twice a second: a number, the kernel's uptime, the real-time clock; both processors are kept busy. */
const ticking = [
	'(while :; do :; done) & (while :; do :; done) &',
	'i=0; while [ $i -lt 10 ]; do',
	'read up rest </proc/uptime; read rtc </sys/class/rtc/rtc0/since_epoch;',
	'echo tick $i up $up rtc $rtc; i=$((i+1)); sleep 0.5; done; kill %1 %2',
].join(' ');

interface Tick {
	readonly number: number;
	readonly uptime: number;
	readonly rtc: number;
}

const ticks = (output: string): Tick[] =>
	[...output.matchAll(/tick (\d+) up ([\d.]+) rtc (\d+)\r?\n/g)].map(([, number, uptime, rtc]) => ({
		number: Number(number),
		uptime: Number(uptime),
		rtc: Number(rtc),
	}));

for (const irqchip of ['kernel', 'split'] as const) {
	linuxTest(
		`Linux goes on from a snapshot where it was, and its clocks only forward, irqchip ${irqchip}`,
		async (t) => {
			const directory = snapshotPlace(t);
			const options = {processors: {count: 2}, irqchip, memory: {sizeBytes: 256 * 2 ** 20}};
			const words = ['openvmm.test=report', `OPENVMM_RUN="${ticking}"`];
			const guest = await linuxVm(t, options, ...words);
			await guest.vm.start();
			await guest.waitFor(/tick 2 [^\n]*\n/);
			await guest.vm.pause();
			const last = ticks(guest.output).at(-1) as Tick;
			await guest.vm.saveSnapshot(directory);
			const savedAt = Date.now();
			await guest.vm.resume();
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'}, guest.output);

			const restoredAt = Date.now();
			const snapshot = openTestSnapshot(t, directory);
			const restored = await testVm(t, {...options, boot: {kind: 'none'}}, {snapshot});
			await restored.vm.start();
			await restored.waitFor(/tick [^\n]*\n/);
			const apart = (Date.now() - savedAt) / 1000;
			t.deepEqual(await restored.vm.ended, {kind: 'power-off'}, restored.output);
			const seen = ticks(restored.output);
			const [first] = seen as [Tick];
			const facts = JSON.stringify({last, first, apart, restoredAt});
			t.is(first.number, last.number + 1, facts);
			t.true(first.uptime > last.uptime && first.uptime - last.uptime < apart, facts);
			t.true(first.rtc >= Math.floor(restoredAt / 1000), facts);
			t.deepEqual(
				seen.map(({uptime}) => uptime),
				seen.map(({uptime}) => uptime).sort((one, other) => one - other),
			);
			t.is(seen.at(-1)?.number, 9);
			t.notRegex(restored.output, /soft lockup|clocksource.*unstable|rcu.*stall/i);
		},
	);
}
