import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import type {ExecutionContext} from 'ava';
import {parseNuma} from '#main/config';
import {isVmmError} from '#support/errors';
import {unchecked} from '#support/trust';
import {compute, forever, guestProgram, loopWhile, output, say, set, startProcessor, word} from '#test/guest-program';
import {
	backEndHere,
	debugExit,
	everyBackEnd,
	irqchipsHere,
	openTestSnapshot,
	snapshotPlace,
	type TestVm,
	vmTest,
	x86BackEnds,
} from '#test/petri';
import {exitPort} from '#test/tmk';

const [everywhere, x86] = [{on: everyBackEnd}, {on: x86BackEnds}];
const powerOff = [output(0x604, 2, 0x2000), forever()];
const poweredOff = {kind: 'power-off'} as const;

const digests = (directory: string) =>
	readdirSync(directory)
		.sort()
		.map((name) =>
			createHash('sha256')
				.update(readFileSync(join(directory, name)))
				.digest('hex'),
		);

const [isUp, mayEnd, rounds, otherRounds] = [word('is up'), word('may end'), word('rounds'), word('other rounds')];
/** Two processors count until the test lets them end. */
const work = guestProgram({
	name: 'work',
	main: [
		startProcessor(1),
		loopWhile([isUp, '==', 0]),
		say('Begun.\n'),
		loopWhile([mayEnd, '==', 0], compute(rounds, 'add', 1)),
		loopWhile([isUp, '==', 1]),
		say('Done.\n'),
		...powerOff,
	],
	others: [set(isUp, 1), loopWhile([mayEnd, '==', 0], compute(otherRounds, 'add', 1)), set(isUp, 2)],
});
const counted = ({vm}: TestVm) =>
	[rounds, otherRounds].map((each) => unchecked(vm.memory.readU32(work.addressOf(each))) ?? 0);
/** Both processors have got further than this. */
async function goesOn(guest: TestVm, from: readonly number[]): Promise<void> {
	while (counted(guest).some((count, index) => count <= (from[index] ?? 0)))
		await new Promise((resolve) => setTimeout(resolve, 10));
}
async function ends(guest: TestVm): Promise<unknown> {
	guest.vm.memory.writeU32(work.addressOf(mayEnd), 1);
	return await guest.vm.ended;
}

for (const irqchip of irqchipsHere) {
	const title = `a guest at work goes on after its snapshot, and again from it as often as wanted, irqchip ${irqchip}`;
	vmTest(title, everywhere, async (t, machine) => {
		const options = {processors: {count: 2}, irqchip, program: work};
		const directory = snapshotPlace(t);
		const guest = await machine(options);
		await guest.vm.start();
		await guest.waitFor(/Begun/);
		await goesOn(guest, [0, 0]);
		const least = counted(guest);
		await guest.vm.saveSnapshot(directory);
		t.is(guest.vm.state, 'running');
		const most = counted(guest);
		const before = digests(directory);
		await goesOn(guest, most);
		t.deepEqual(await ends(guest), poweredOff);
		t.is(guest.output, 'Begun.\nDone.\n');

		const snapshot = openTestSnapshot(t, directory);
		for (let round = 0; round < 2; round++) {
			const restored = await machine(options, {snapshot});
			t.is(restored.vm.state, 'created');
			const there = counted(restored);
			t.true(there.every((count, index) => count >= (least[index] ?? 0) && count <= (most[index] ?? 0)));
			await restored.vm.start();
			await goesOn(restored, there);
			t.deepEqual(await ends(restored), poweredOff);
			t.is(restored.output, 'Done.\n');
		}
		t.deepEqual(digests(directory), before);
		t.true(statSync(join(directory, 'memory.bin')).blocks * 512 < 8 * 2 ** 20);
	});
}

/** No limits of a machine. */
const anySize = {bytes: 2 ** 24, values: 2 ** 16};

const small = {program: guestProgram({name: 'small', main: [say('Here.\n'), ...powerOff]})};

/** A snapshot of a guest before its first instruction. */
async function savedAtPowerOn(t: ExecutionContext, guest: TestVm) {
	const directory = snapshotPlace(t);
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	return openTestSnapshot(t, directory);
}

vmTest(
	'memory on both sides of the hole below 4 GiB comes back, and takes only what was used',
	everywhere,
	async (t, machine) => {
		const options = {...small, memory: {sizeBytes: 5 * 2 ** 30}};
		const guest = await machine(options);
		const places = [2 ** 20 * 40, 3 * 2 ** 30 - 8, 2 ** 32 + 2 ** 20, 6 * 2 ** 30 - 8];
		for (const [index, gpa] of places.entries()) t.true(guest.vm.memory.writeU32(gpa, 0xabc0 + index));
		const directory = snapshotPlace(t);
		await guest.vm.saveSnapshot(directory);
		await guest.vm.stop();
		const {size, blocks} = statSync(join(directory, 'memory.bin'));
		t.is(size, 5 * 2 ** 30);
		t.true(blocks * 512 < 8 * 2 ** 20);
		const restored = await machine(options, {snapshot: openTestSnapshot(t, directory)});
		for (const [index, gpa] of places.entries()) t.is(unchecked(restored.vm.memory.readU32(gpa)), 0xabc0 + index);
		await restored.vm.start();
		t.deepEqual(await restored.vm.ended, poweredOff);
		t.is(restored.output, 'Here.\n');
	},
);

vmTest('memory of several NUMA nodes comes back, to nodes of the same sizes only', everywhere, async (t, machine) => {
	const withNodes = (...sizes: string[]) => ({
		...small,
		processors: {count: 2},
		numa: {nodes: sizes.map((size) => parseNuma(`size=${size}`))},
	});
	const options = withNodes('128M', '64M');
	const guest = await machine(options);
	const places = [2 ** 20 * 100, 2 ** 20 * 192 - 8];
	for (const [index, gpa] of places.entries()) t.true(guest.vm.memory.writeU32(gpa, 0xabc0 + index));
	const directory = snapshotPlace(t);
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	const snapshot = openTestSnapshot(t, directory);
	const restored = await machine(options, {snapshot});
	for (const [index, gpa] of places.entries()) t.is(unchecked(restored.vm.memory.readU32(gpa)), 0xabc0 + index);
	await restored.vm.start();
	t.deepEqual(await restored.vm.ended, poweredOff);
	t.is(restored.output, 'Here.\n');
	await t.throwsAsync(machine(withNodes('64M', '128M'), {snapshot}), {code: 'SNAPSHOT_SHAPE_DIFFERS'});
});

// It mounts a file system, as unit tests do not.
const full = 'a full disk while saving is an error; the machine goes on and the older snapshot is whole';
vmTest(full, x86, async (t, machine) => {
	const folder = join(snapshotPlace(t), '..', 'disk');
	mkdirSync(folder);
	execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]);
	t.teardown(() => execFileSync('umount', [folder]));
	const directory = join(folder, 'snapshot');
	const guest = await machine({...small, processors: {count: 2}});
	await guest.vm.saveSnapshot(directory);
	const before = digests(directory);
	guest.vm.memory.fill(32 * 2 ** 20, 8 * 2 ** 20, 0x5a);
	await t.throwsAsync(guest.vm.saveSnapshot(directory), {code: 'SNAPSHOT_WRITE_FAILED', message: /ENOSPC/});
	t.deepEqual(digests(directory), before);
	t.deepEqual(readdirSync(folder), ['snapshot']);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, poweredOff);
});

// A fake has its guest from the options, not from the memory.
vmTest('a restored machine is reset into what it boots, and without that it says so', x86, async (t, machine) => {
	const resets = guestProgram({name: 'resets', main: [say('Before.\n'), output(0x64, 1, 0xfe), forever()]});
	const snapshot = await savedAtPowerOn(t, await machine({program: resets}));
	const restored = await machine(small, {snapshot});
	await restored.vm.start();
	t.deepEqual(await restored.vm.ended, poweredOff);
	t.is(restored.output, 'Before.\nHere.\n');

	const lost = await machine({boot: {kind: 'none'}, devices: [debugExit(exitPort)]}, {snapshot});
	await t.throwsAsync(lost.vm.reset(), {code: 'BOOT_NOTHING'});
	await lost.vm.start();
	const end = await lost.vm.ended;
	t.is(end.kind === 'error' ? end.error.code : end.kind, 'BOOT_NOTHING');
});

type Units = Record<string, unknown>;
type WrongUnits = [code: RegExp, units: Units][];

const withVcpu = (units: Units, change: object): Units => {
	const [vcpu] = units['vcpus'] as [object];
	return {...units, vcpus: [{...vcpu, ...change}]};
};

/** Copies of the units of a snapshot, each wrong in one way. */
function wrongUnits(units: Units): WrongUnits {
	const [vcpu] = units['vcpus'] as [object];
	const {time: _, ...timeless} = units;
	return [
		[/STATE_UNITS_DIFFER/, timeless],
		[/STATE_UNITS_DIFFER/, {...units, other: {}}],
		[/STATE_FIELD_WRONG/, {...units, time: -1}],
		[/STATE_FIELD_WRONG/, {...units, time: {...(units['time'] as object), stoppedAtMs: 2 ** 63}}],
		[/VM_CLOCK_TOO_FAR/, {...units, time: {...(units['time'] as object), stoppedAtMs: 0}}],
		[/STATE_FIELD_WRONG/, {...units, devices: {interrupts: '', devices: 5}}],
		[/STATE_DEVICES_DIFFER/, {...units, devices: {interrupts: '', devices: {}}}],
		[/STATE_FIELD_WRONG/, {...units, vcpus: []}],
		[/STATE_FIELD_WRONG/, {...units, vcpus: [vcpu, vcpu]}],
		[/STATE_FIELD_WRONG/, withVcpu(units, {general: 'AAAA'})],
		[/STATE_FIELD_WRONG/, withVcpu(units, {vector: {components: '0x3', image: 'A'.repeat(2 ** 22)}})],
		[/STATE_FIELD_WRONG/, withVcpu(units, {activity: 'asleep'})],
		[/STATE_FIELD_WRONG/, withVcpu(units, {msrs: {'0x10': 'much'}})],
		[/STATE_VERSION_UNKNOWN/, withVcpu(units, {version: 1})],
		...(backEndHere === 'fake' ? [] : beyondProcessor(units)),
		...(backEndHere === 'kvm' ? wrongForKvm(units) : []),
	];
}

/** Makes states that no processor can have. */
function beyondProcessor(units: Units): WrongUnits {
	const [{cpuid}] = units['vcpus'] as [{readonly cpuid: Record<string, string>}];
	const allFeatures = {...cpuid, '0x7.0': `${cpuid['0x7.0']?.slice(0, 8) ?? '00000000'} ffffffff ffffffff ffffffff`};
	return [
		[/VCPU_MSR_REFUSED/, withVcpu(units, {msrs: {'0x12345678': '0x1'}})],
		[/VCPU_NEEDS_MISSING/, withVcpu(units, {cpuid: allFeatures})],
	];
}

const wrongForKvm = (units: Units): WrongUnits => [
	[/STATE_FIELD_WRONG/, {...units, kvmclock: '99999999999999999999'}],
	[/STATE_FIELD_WRONG/, {...units, 'kernel-chips': {}}],
];

const madeUp = 'a state that was made up is refused for what is wrong with it, and leaves nothing behind';
vmTest(madeUp, everywhere, async (t, machine) => {
	const snapshot = await savedAtPowerOn(t, await machine(small));
	const held = () => ({
		descriptors: readdirSync('/proc/self/fd').length,
		threads: readdirSync('/proc/self/task').length,
	});
	const before = held();
	for (const [code, units] of wrongUnits({...(await snapshot.readUnits(anySize))})) {
		const error = await t.throwsAsync(machine(small, {snapshot: {...snapshot, readUnits: async () => units}}));
		t.regex(isVmmError(error) ? error.code : String(error), code);
	}
	const after = held();
	// Node's own pool may have grown meanwhile; each of the refused machines would have left more than that.
	const said = JSON.stringify({before, after});
	t.true(after.descriptors <= before.descriptors + 2 && after.threads <= before.threads + 4, said);
});

/** The same data with some values in it others of their kind. */
function damaged(value: unknown, round: number): unknown {
	let step = 0;
	const other = (at: unknown): unknown => {
		const seed = round * 97 + ++step * 37;
		if (Array.isArray(at)) return at.map(other);
		if (typeof at === 'object' && at !== null)
			return Object.fromEntries(Object.entries(at).map(([name, held]) => [name, other(held)]));
		if (seed % 3 !== 0) return at;
		if (typeof at === 'boolean') return !at;
		if (typeof at === 'number') return seed % (at + 2);
		if (typeof at !== 'string') return at;
		if (at.startsWith('0x')) return `0x${((BigInt(seed) * 0x9e37_79b9_7f4a_7c15n) % 2n ** 64n).toString(16)}`;
		const bytes = Buffer.from(at, 'base64');
		for (let flip = 0; flip < 8; flip++) bytes[(seed + flip * 37) % bytes.length] = (flip * 59 + round) & 0xff;
		return bytes.toString('base64');
	};
	return other(value);
}

vmTest('whatever a processor is made to hold, only its machine is the worse for it', x86, async (t, machine) => {
	const snapshot = await savedAtPowerOn(t, await machine(small));
	const saved = await snapshot.readUnits(anySize);
	const [vcpu] = saved['vcpus'] as [Record<string, unknown>];
	const ways = {refused: 0, ran: 0};
	for (const field of ['general', 'special', 'events', 'apic', 'vector', 'xcr0', 'debug'] as const) {
		for (let round = 0; round < 3; round++) {
			const units = {...saved, vcpus: [{...vcpu, [field]: damaged(vcpu[field], round)}]};
			try {
				const {vm} = await machine(small, {snapshot: {...snapshot, readUnits: async () => units}});
				await vm.start();
				await Promise.race([vm.ended, new Promise((resolve) => setTimeout(resolve, 100))]);
				await vm.stop();
				ways.ran++;
			} catch (error) {
				t.true(isVmmError(error), String(error));
				ways.refused++;
			}
		}
	}
	t.log(ways);
	t.is(ways.refused + ways.ran, 21);
});
