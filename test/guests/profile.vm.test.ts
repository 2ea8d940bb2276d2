import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {rax} from '#flowey/x86-assembler';
import {startProfile} from '#main/profile';
import {linuxTest, linuxVm, type MakeMachine, vmTest, x86BackEnds} from '#test/petri';
import {microKernel, profileRounds, profileTarget} from '#test/tmk';
import {browser, openInSpeedscope, tableRows} from './testing/speedscope-page.ts';

/** Enough that chance moves a part by less than a fiftieth, usually. */
const enough = 600;

const names = ['main', 'outer', 'heavy', 'light'] as const;
const part = profileRounds.heavy / (profileRounds.heavy + profileRounds.light);

interface File {
	readonly shared: {readonly frames: readonly {readonly name: string}[]};
	readonly profiles: readonly {
		readonly samples: readonly (readonly number[])[];
		readonly weights: readonly number[];
	}[];
}

interface Seen {
	readonly at: bigint;
	readonly ms: number;
}

/** A profile of the kernel for that purpose, in a file of a folder. */
async function profileOf(t: ExecutionContext, machine: MakeMachine) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-profile-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const [path, symbols] = [join(folder, 'profile.json'), join(folder, 'symbols')];
	const line = (name: string) => `${profileTarget.addressOf(name).toString(16).padStart(16, '0')} T ${name}\n`;
	writeFileSync(symbols, names.map(line).join(''));
	const {vm} = await machine({kernel: profileTarget});
	const profile = await startProfile(vm, {path, hz: 1000, symbols: [{path: symbols}]});
	const all = Promise.withResolvers<void>();
	const seen: Seen[] = [];
	const stop = vm.listenToSamples(1000, {
		sample({frames: [at = 0n], ms, isUser, isWaiting}) {
			t.false(isUser || isWaiting);
			seen.push({at, ms});
			if (seen.length === enough) all.resolve();
		},
	});
	await vm.start();
	await all.promise;
	stop();
	await profile.finish();
	vm.memory.writeU64(profileTarget.addressOf('stop'), 1);
	t.like(await vm.ended, {kind: 'exit'});
	return {folder, path, seen, spent: timesIn(path)};
}

/** Milliseconds of each stack of a file, by the names in it. */
function timesIn(path: string): ReadonlyMap<string, number> {
	const {shared, profiles} = JSON.parse(readFileSync(path, 'utf8')) as File;
	const spent = new Map<string, number>();
	for (const {samples, weights} of profiles) {
		for (const [index, stack] of samples.entries()) {
			const text = stack.map((frame) => shared.frames[frame]?.name).join(' ');
			spent.set(text, (spent.get(text) ?? 0) + (weights[index] ?? 0));
		}
	}
	return spent;
}

const sum = (values: Iterable<number>) => [...values].reduce((total, value) => total + value, 0);

vmTest(
	'a profile has the functions of a guest as they call each other, each as often as it is executed',
	{on: x86BackEnds},
	async (t, machine) => {
		const {seen, spent} = await profileOf(t, machine);
		const [heavy, light] = ['[kernel] main outer heavy', '[kernel] main light'];
		const usual = (spent.get(heavy) ?? 0) + (spent.get(light) ?? 0);
		// Between these functions, and where they have no frame yet.
		t.true(usual > 0.95 * sum(spent.values()), JSON.stringify([...spent]));
		const start = (name: string) => BigInt(profileTarget.addressOf(name));
		const inHeavy = seen.filter(({at}) => at >= start('heavy') && at < start('light'));
		t.true(Math.abs(inHeavy.length / seen.length - part) < 0.1, `${inHeavy.length} of ${seen.length}`);
		// The listener heard all that the file has.
		const [heard, written] = [sum(inHeavy.map(({ms}) => ms)), spent.get(heavy) ?? 0];
		t.true(Math.abs(written - heard) < 0.01, `${written} ms of ${heard}`);
	},
);

/** Calls a function of one block, which takes most of the time, for ever. */
const shortFunction = microKernel('short-function', (asm) => {
	const {label, call, imul, jmp, ret} = asm;
	label('loop');
	call('short');
	jmp('loop');
	label('short');
	for (let count = 0; count < 25; count++) imul(rax, rax);
	ret();
	label('end');
});

// An emulator beneath KVM takes interrupts between blocks of its own, which puts the time of one to the next.
vmTest('the time of a short function is its own, not that of its caller', {on: ['software']}, async (t, machine) => {
	const {vm} = await machine({kernel: shortFunction});
	const [start, end] = ['short', 'end'].map((name) => BigInt(shortFunction.addressOf(name))) as [bigint, bigint];
	const all = Promise.withResolvers<void>();
	let [inside, seen] = [0, 0];
	const stop = vm.listenToSamples(1000, {
		sample({frames: [at = 0n]}) {
			if (at >= start && at < end) inside++;
			if (++seen === enough) all.resolve();
		},
	});
	await vm.start();
	await all.promise;
	stop();
	t.true(inside / seen > 0.7, `${inside} of ${seen}`);
});

vmTest(
	'speedscope shows each function with its part of the time',
	{on: x86BackEnds, skip: browser === undefined},
	async (t, machine) => {
		const {folder, path: profile, spent} = await profileOf(t, machine);
		const page = await openInSpeedscope(browser ?? '', {profile, folder: join(folder, 'browser'), view: 'sandwich'});
		const rows = new Map(tableRows(page).map((row) => [row.name, row]));
		const all = sum(spent.values());
		const percent = (has: (stack: string) => boolean) =>
			(100 * sum([...spent].filter(([stack]) => has(stack)).map(([, ms]) => ms))) / all;
		for (const name of names) {
			const {total = Number.NaN, self = Number.NaN} = rows.get(name) ?? {};
			const told = `${name}: ${total} ${self} of ${JSON.stringify([...spent])}`;
			// The page rounds to whole percents, and says ">99%" where its sum is a bit less than all.
			t.true(Math.abs(total - percent((stack) => stack.split(' ').includes(name))) <= 1, told);
			t.true(Math.abs(self - percent((stack) => stack.endsWith(name))) <= 1, told);
		}
	},
);

linuxTest('a stock kernel’s functions and calls have names, without any file', async (t, machine) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-profile-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const path = join(folder, 'profile.json');
	const work = 'dd if=/dev/zero of=/dev/null bs=4096 count=100000';
	const {vm, output} = await linuxVm(machine, {}, 'cryptomgr.notests', `OPENVMM_RUN="${work}"`);
	const profile = await startProfile(vm, {path});
	await vm.start();
	t.deepEqual(await vm.ended, {kind: 'power-off'}, output);
	t.true((await profile.finish()) > 10);
	const stacks = [...timesIn(path).keys()];
	for (const calls of [
		/ start_kernel \w/,
		/ kernel_init kernel_init_freeable /,
		/ do_syscall_64 .*vfs_read/,
		/^\[process /,
	])
		t.true(
			stacks.some((stack) => calls.test(stack)),
			`${calls} in ${stacks.length} stacks`,
		);
});
