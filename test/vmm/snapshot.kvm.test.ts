import {execFileSync} from 'node:child_process';
import {createHash} from 'node:crypto';
import {mkdirSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {parseNuma, type VmOptions} from '#main/config';
import {isVmmError} from '#support/errors';
import {unchecked} from '#support/trust';
import {embedded, openTestSnapshot, snapshotPlace, testVm} from '#test/petri';

const digests = (directory: string) =>
	readdirSync(directory)
		.sort()
		.map((name) =>
			createHash('sha256')
				.update(readFileSync(join(directory, name)))
				.digest('hex'),
		);

for (const irqchip of ['kernel', 'split'] as const) {
	test.serial(
		`a guest at work goes on after its snapshot, and again from it as often as wanted, irqchip ${irqchip}`,
		async (t) => {
			const options = {processors: {count: 2}, irqchip, boot: embedded('work=300000')};
			const directory = snapshotPlace(t);
			const guest = await testVm(t, options);
			await guest.vm.start();
			await guest.waitFor(/CPUs: 2 found, 2 running/);
			await guest.vm.saveSnapshot(directory);
			t.is(guest.vm.state, 'running');
			const before = digests(directory);
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
			t.regex(guest.output, /Sum \w+ over 614400000 items .*: OK/);

			const snapshot = openTestSnapshot(t, directory);
			for (let round = 0; round < 2; round++) {
				const restored = await testVm(t, options, {snapshot});
				t.is(restored.vm.state, 'created');
				await restored.vm.start();
				t.deepEqual(await restored.vm.ended, {kind: 'power-off'});
				t.notRegex(restored.output, /CPUs: 2 found/);
				t.regex(restored.output, /Sum \w+ over 614400000 items .*: OK[\s\S]*Powering off/);
			}
			t.deepEqual(digests(directory), before);
			t.true(statSync(join(directory, 'memory.bin')).blocks * 512 < 8 * 2 ** 20);
		},
	);
}

/** No limits of a machine. */
const anySize = {bytes: 2 ** 24, values: 2 ** 16};

const small = {boot: embedded('work=30000')};

/** A snapshot of the embedded guest before its first instruction. */
async function savedAtPowerOn(t: ExecutionContext, options: VmOptions = small) {
	const directory = snapshotPlace(t);
	const guest = await testVm(t, options);
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	return {directory, snapshot: openTestSnapshot(t, directory)};
}

test.serial('memory on both sides of the hole below 4 GiB comes back, and takes only what was used', async (t) => {
	const options = {...small, memory: {sizeBytes: 5 * 2 ** 30}};
	const guest = await testVm(t, options);
	const places = [2 ** 20 * 40, 3 * 2 ** 30 - 8, 2 ** 32 + 2 ** 20, 6 * 2 ** 30 - 8];
	for (const [index, gpa] of places.entries()) t.true(guest.vm.memory.writeU32(gpa, 0xabc0 + index));
	const directory = snapshotPlace(t);
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	const {size, blocks} = statSync(join(directory, 'memory.bin'));
	t.is(size, 5 * 2 ** 30);
	t.true(blocks * 512 < 8 * 2 ** 20);
	const restored = await testVm(t, options, {snapshot: openTestSnapshot(t, directory)});
	for (const [index, gpa] of places.entries()) t.is(unchecked(restored.vm.memory.readU32(gpa)), 0xabc0 + index);
	await restored.vm.start();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'});
	t.regex(restored.output, /: OK/);
});

test.serial('memory of several NUMA nodes comes back, to nodes of the same sizes only', async (t) => {
	const withNodes = (...sizes: string[]): VmOptions => ({
		...small,
		processors: {count: 2},
		numa: {nodes: sizes.map((size) => parseNuma(`size=${size}`))},
	});
	const options = withNodes('128M', '64M');
	const guest = await testVm(t, options);
	const places = [2 ** 20 * 100, 2 ** 20 * 192 - 8];
	for (const [index, gpa] of places.entries()) t.true(guest.vm.memory.writeU32(gpa, 0xabc0 + index));
	const directory = snapshotPlace(t);
	await guest.vm.saveSnapshot(directory);
	await guest.vm.stop();
	const snapshot = openTestSnapshot(t, directory);
	const restored = await testVm(t, options, {snapshot});
	for (const [index, gpa] of places.entries()) t.is(unchecked(restored.vm.memory.readU32(gpa)), 0xabc0 + index);
	await restored.vm.start();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'});
	t.regex(restored.output, /CPUs: 2 found, 2 running[\s\S]*: OK/);
	await t.throwsAsync(testVm(t, withNodes('64M', '128M'), {snapshot}), {code: 'SNAPSHOT_SHAPE_DIFFERS'});
});

test.serial('a full disk while saving is an error; the machine goes on and the older snapshot is whole', async (t) => {
	const folder = join(snapshotPlace(t), '..', 'disk');
	mkdirSync(folder);
	execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder]);
	t.teardown(() => execFileSync('umount', [folder]));
	const directory = join(folder, 'snapshot');
	const guest = await testVm(t, {...small, processors: {count: 2}});
	await guest.vm.saveSnapshot(directory);
	const before = digests(directory);
	guest.vm.memory.fill(32 * 2 ** 20, 8 * 2 ** 20, 0x5a);
	await t.throwsAsync(guest.vm.saveSnapshot(directory), {code: 'SNAPSHOT_WRITE_FAILED', message: /ENOSPC/});
	t.deepEqual(digests(directory), before);
	t.deepEqual(readdirSync(folder), ['snapshot']);
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
});

test.serial('a restored machine is reset into what it boots, and without that it says so', async (t) => {
	const {snapshot} = await savedAtPowerOn(t, {boot: embedded('work=100')});
	const restored = await testVm(t, {boot: embedded('reset')}, {snapshot});
	await restored.vm.start();
	t.deepEqual(await restored.vm.ended, {kind: 'power-off'});

	const resetting = await savedAtPowerOn(t, {boot: embedded('reset')});
	const lost = await testVm(t, {boot: {kind: 'none'}}, {snapshot: resetting.snapshot});
	await t.throwsAsync(lost.vm.reset(), {code: 'BOOT_NOTHING'});
	await lost.vm.start();
	const end = await lost.vm.ended;
	t.is(end.kind === 'error' ? end.error.code : end.kind, 'BOOT_NOTHING');
});

type Units = Record<string, unknown>;

/** Copies of the units of a snapshot, each wrong in one way. */
function wrongUnits(units: Units): [code: RegExp, units: Units][] {
	const [vcpu] = units['vcpus'] as [Record<string, unknown>];
	const withVcpu = (change: object) => ({...units, vcpus: [{...vcpu, ...change}]});
	const {time: _, ...timeless} = units;
	const cpuid = vcpu['cpuid'] as Record<string, string>;
	const allFeatures = {...cpuid, '0x7.0': `${cpuid['0x7.0']?.slice(0, 8) ?? '00000000'} ffffffff ffffffff ffffffff`};
	return [
		[/STATE_UNITS_DIFFER/, timeless],
		[/STATE_UNITS_DIFFER/, {...units, other: {}}],
		[/STATE_FIELD_WRONG/, {...units, time: -1}],
		[/STATE_FIELD_WRONG/, {...units, time: {...(units['time'] as object), stoppedAtMs: 2 ** 63}}],
		[/VM_CLOCK_TOO_FAR/, {...units, time: {...(units['time'] as object), stoppedAtMs: 0}}],
		[/STATE_FIELD_WRONG/, {...units, kvmclock: '99999999999999999999'}],
		[/STATE_FIELD_WRONG/, {...units, devices: {interrupts: '', devices: 5}}],
		[/STATE_DEVICES_DIFFER/, {...units, devices: {interrupts: '', devices: {}}}],
		[/STATE_FIELD_WRONG/, {...units, 'kernel-chips': {}}],
		[/STATE_FIELD_WRONG/, {...units, vcpus: []}],
		[/STATE_FIELD_WRONG/, {...units, vcpus: [vcpu, vcpu]}],
		[/STATE_FIELD_WRONG/, withVcpu({general: 'AAAA'})],
		[/STATE_FIELD_WRONG/, withVcpu({vector: {components: '0x3', image: 'A'.repeat(2 ** 22)}})],
		[/STATE_FIELD_WRONG/, withVcpu({activity: 'asleep'})],
		[/STATE_FIELD_WRONG/, withVcpu({msrs: {'0x10': 'much'}})],
		[/VCPU_MSR_REFUSED/, withVcpu({msrs: {'0x12345678': '0x1'}})],
		[/STATE_VERSION_UNKNOWN/, withVcpu({version: 1})],
		[/VCPU_NEEDS_MISSING/, withVcpu({cpuid: allFeatures})],
	];
}

test.serial('a state that was made up is refused for what is wrong with it, and leaves nothing behind', async (t) => {
	const {snapshot} = await savedAtPowerOn(t);
	const held = () => ({
		descriptors: readdirSync('/proc/self/fd').length,
		threads: readdirSync('/proc/self/task').length,
	});
	const before = held();
	for (const [code, units] of wrongUnits({...(await snapshot.readUnits(anySize))})) {
		const error = await t.throwsAsync(testVm(t, small, {snapshot: {...snapshot, readUnits: async () => units}}));
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

test.serial('whatever a processor is made to hold, only its machine is the worse for it', async (t) => {
	const {snapshot} = await savedAtPowerOn(t);
	const saved = await snapshot.readUnits(anySize);
	const [vcpu] = saved['vcpus'] as [Record<string, unknown>];
	const ways = {refused: 0, ran: 0};
	for (const field of ['general', 'special', 'events', 'apic', 'vector', 'xcr0', 'debug'] as const) {
		for (let round = 0; round < 3; round++) {
			const units = {...saved, vcpus: [{...vcpu, [field]: damaged(vcpu[field], round)}]};
			try {
				const {vm} = await testVm(t, small, {snapshot: {...snapshot, readUnits: async () => units}});
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
