import {availableParallelism} from 'node:os';
import {Worker} from 'node:worker_threads';
import {pmLayout} from '#devices/chipset/acpi-pm';
import type {IrqchipOption} from '#main/config';
import {unchecked} from '#support/trust';
import {debugExit, madeEarlier, openTestSnapshot, snapshotPlace, type TestVm, vmTest} from '#test/petri';
import {clockReader, clockRound, exitPort, type MicroKernel} from '#test/tmk';

const acpiTimerHz = 3_579_545;
const tickHz = 100;
/** `struct pvclock_vcpu_time_info`. */
const [systemTimeAt, multiplierAt, shiftAt, flagsAt, guestStopped] = [16, 24, 28, 29, 2];

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for the guest; one that does nothing any more fails with what its clocks show. */
async function until(holds: () => boolean, clocks: () => Clocks): Promise<void> {
	for (const limit = performance.now() + 300_000; !holds(); await wait(1))
		if (performance.now() > limit) throw new Error(`the guest stands still: ${toText(clocks())}`);
}

const toText = (value: unknown) =>
	JSON.stringify(value, (_key, field) => (typeof field === 'bigint' ? `${field}` : field));

/** Reads the guest's clocks, in milliseconds where that is a time. */
function clocksOf({vm}: TestVm, kernel: MicroKernel) {
	const {memory} = vm;
	const wide = (address: number) => unchecked(memory.readBigU64(address)) ?? 0n;
	const clocks = kernel.addressOf('clocks');
	const roundsAt = kernel.addressOf('rounds');
	let rounds: number;
	let round: Record<'counterBefore' | 'acpiTimer' | 'counterAfter', bigint>;
	do {
		rounds = Number(wide(roundsAt));
		const place = clocks + ((rounds + 1) % 2) * clockRound.bytes;
		round = {
			counterBefore: wide(place + clockRound.counterBefore),
			acpiTimer: wide(place + clockRound.acpiTimer),
			counterAfter: wide(place + clockRound.counterAfter),
		};
		// The guest stores into the other place until it counts that one.
	} while (rounds !== Number(wide(roundsAt)));
	const kvmclock = kernel.addressOf('kvmclock');
	return {
		counterBefore: round.counterBefore,
		counterAfter: round.counterAfter,
		acpiTimerMs: (Number(round.acpiTimer) / acpiTimerHz) * 1000,
		ticks: Number(wide(kernel.addressOf('ticks'))),
		rounds,
		stolenMs: Number(wide(kernel.addressOf('steal-time'))) / 1e6,
		/** Of the counter, as KVM tells the guest. */
		khz:
			1e6 /
			(((unchecked(memory.readU32(kvmclock + multiplierAt)) ?? 0) / 2 ** 32) *
				2 ** (((unchecked(memory.readU8(kvmclock + shiftAt)) ?? 0) << 24) >> 24)),
		kvmclockMs: Number(wide(kvmclock + systemTimeAt)) / 1e6,
		wasStopped: ((unchecked(memory.readU8(kvmclock + flagsAt)) ?? 0) & guestStopped) !== 0,
	};
}

type Clocks = ReturnType<typeof clocksOf>;

/** Makes a machine that runs the kernel, on any back end. */
type Make = (options: {readonly irqchip: IrqchipOption; readonly kernel: MicroKernel}) => Promise<TestVm>;

async function boot(machine: Make, irqchip: IrqchipOption, pit?: number) {
	const kernel = clockReader({pmTimer: pmLayout.base + pmLayout.timer, tickHz: pit});
	const guest = await machine({irqchip, kernel});
	await guest.vm.start();
	const clocks = () => clocksOf(guest, kernel);
	await until(() => clocks().rounds > 0 && (pit === undefined || clocks().ticks > 0), clocks);
	return {guest, kernel, clocks};
}

/** The clocks once the guest has read them after what was done, and had time for ticks that somebody may owe it. */
async function afterwards(last: Clocks, now: () => Clocks): Promise<Clocks> {
	// One round was under way already.
	await until(() => now().rounds >= last.rounds + 2, now);
	const first = now();
	await wait(500);
	return {...first, ticks: now().ticks};
}

const standMs = 4000;
/** Distance that the timer's and the counter's origins may have: each is set by its own call to the host. */
const slackMs = 200;
const weekMs = 7 * 86_400e3;

for (const irqchip of ['kernel', 'split'] as const) {
	const title = `all clocks of a guest stand still, or catch up, together, irqchip ${irqchip}`;
	// KVM's own clock is among them.
	vmTest(title, {on: ['kvm']}, async (t, machine) => {
		// Our PIT is tested without a machine; KVM's goes on by itself while the guest stands still.
		const {guest, kernel, clocks} = await boot(machine, irqchip, irqchip === 'kernel' ? tickHz : undefined);
		const {khz} = clocks();
		/** By how many milliseconds each clock went on. */
		const passed = (from: Clocks, to: Clocks) => ({
			counter: Number(to.counterBefore - from.counterBefore) / khz,
			/** The ACPI timer was read between two reads of the counter. */
			counterAtLeast: Number(to.counterBefore - from.counterAfter) / khz,
			counterAtMost: Number(to.counterAfter - from.counterBefore) / khz,
			acpiTimer:
				(to.acpiTimerMs - from.acpiTimerMs + 2 ** 32 / (acpiTimerHz / 1000)) % (2 ** 32 / (acpiTimerHz / 1000)),
			kvmclock: to.kvmclockMs - from.kvmclockMs,
			stolen: to.stolenMs - from.stolenMs,
			ticks: (to.ticks - from.ticks) * (1000 / tickHz),
		});
		t.false(clocks().wasStopped);
		for (const clock of ['continue', 'catch-up'] as const) {
			const pausing = performance.now();
			await guest.vm.pause();
			const before = clocks();
			await wait(standMs);
			const resuming = performance.now();
			await guest.vm.resume({clock});
			const after = await afterwards(before, clocks);
			const by = passed(before, after);
			// A busy host may have let much time pass since.
			const since = Math.max(standMs / 2, performance.now() - resuming + slackMs);
			const whole = Math.max(standMs * 1.5, performance.now() - pausing + slackMs);
			const facts = JSON.stringify({clock, khz, by, since, whole});
			t.log(facts);
			t.true(after.wasStopped);
			for (const ms of [by.counter, by.acpiTimer])
				t.true(clock === 'continue' ? ms >= 0 && ms < since : ms >= standMs - 5 && ms < whole, facts);
			t.true(by.acpiTimer > by.counterAtLeast - slackMs && by.acpiTimer < by.counterAtMost + slackMs, facts);
			t.true(by.ticks < since, facts);
			t.true(clock === 'continue' ? by.stolen < since : by.stolen >= standMs - 5, facts);
		}
		const directory = snapshotPlace(t);
		const pausing = performance.now();
		await guest.vm.pause();
		const before = clocks();
		await guest.vm.saveSnapshot(directory);
		await guest.vm.stop();
		for (const clock of ['continue', 'catch-up'] as const) {
			const snapshot = madeEarlier(openTestSnapshot(t, directory), weekMs);
			const devices = [debugExit(exitPort)];
			const restored = await machine({irqchip, boot: {kind: 'none'}, devices}, {snapshot, clock});
			await wait(1000);
			const starting = performance.now();
			await restored.vm.start();
			const now = () => clocksOf(restored, kernel);
			const by = passed(before, await afterwards(before, now));
			const since = performance.now() - starting + slackMs;
			const whole = Math.max(120_000, performance.now() - pausing + slackMs);
			const facts = JSON.stringify({clock, khz, by, since, whole});
			t.log(facts);
			const [least, most] = clock === 'continue' ? [0, Math.max(900, since)] : [weekMs, weekMs + whole];
			t.true(by.counter >= least && by.counter <= most, facts);
			for (const ms of [by.kvmclock, by.stolen]) t.true(ms >= weekMs === (clock === 'catch-up'), facts);
			t.true(by.ticks < Math.max(standMs / 2, since), facts);
			await restored.vm.stop();
		}
	});
}

vmTest(
	'time that a processor is kept from running counts as stolen, and that which it is brought on by',
	{on: ['software']},
	async (t, machine) => {
		const {guest, clocks} = await boot(machine, 'split', tickHz);
		// As many that spin as the host has processors: somebody has to wait.
		const spinning = Array.from({length: availableParallelism()}, () => new Worker('for (;;);', {eval: true}));
		t.teardown(() => Promise.all(spinning.map((worker) => worker.terminate())));
		await until(() => clocks().stolenMs > 1, clocks);
		await guest.vm.pause();
		const before = clocks();
		await wait(1000);
		t.is(clocks().stolenMs, before.stolenMs);
		await guest.vm.resume({clock: 'catch-up'});
		t.true(clocks().stolenMs >= before.stolenMs + 995);
	},
);
