import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {isVmmError} from '#support/errors';
import {openTestSnapshot, snapshotPlace, vmTest, x86BackEnds} from '#test/petri';
import {stateKeeper} from '#test/tmk';
import {hostFuses} from '#vcpu-worker/software/fuse-check';

const pmTimer = 0x408;
const keeper = (count: number) => ({kernel: stateKeeper({pmTimer, count}), memory: {sizeBytes: 2 ** 25}});
const v2 = {model: 'x86-64-v2', with: [], without: ['popcnt']} as const;
const features = async (machine: {inspect(path: string): Promise<unknown>}): Promise<string[]> =>
	String(await machine.inspect('vm/vcpus/0/cpuid/features')).split(' ');

vmTest(
	'a guest goes on with what it was shown, and only where there is as much',
	{on: x86BackEnds},
	async (t, machine) => {
		const directory = snapshotPlace(t);
		const guest = await machine({...keeper(10), cpu: v2});
		const shown = await features(guest);
		t.true(shown.includes('sse4_2') && !shown.includes('popcnt') && !shown.includes('smep'), shown.join(' '));
		await guest.vm.start();
		await guest.waitFor(/(tick\n){2}/);
		await guest.vm.pause();
		await guest.vm.saveSnapshot(directory);
		await guest.vm.stop();

		const snapshot = openTestSnapshot(t, directory);
		t.deepEqual(snapshot.manifest.cpu, v2);
		const restored = await machine(keeper(10), {snapshot});
		t.deepEqual(await features(restored), shown);
		await restored.vm.start();
		t.deepEqual(await restored.vm.ended, {kind: 'exit', status: 1}, restored.output);

		const poor = {model: 'x86-64-v2', with: [], without: ['sse4.1', 'cx16']} as const;
		const error = await t.throwsAsync(machine({...keeper(10), cpu: poor}, {snapshot}));
		t.true(isVmmError(error, 'SNAPSHOT_HYPERVISOR_LACKS'));
		t.regex(
			error?.message ?? '',
			/ran on (\w+) and has what \1 does not have.*: CPUID\.1\.0:ECX\[13\] \(cx16\), CPUID\.1\.0:ECX\[19\] \(sse4_1\), CPUID\.1\.0:ECX\[20\] \(sse4_2\)$/,
		);
	},
);

vmTest(
	'by default there is x86-64-v3 where the host multiplies and adds at once',
	{on: ['software']},
	async (t, machine) => {
		const shown = await features(await machine(keeper(1)));
		const level = ['avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma'];
		t.deepEqual(
			level.filter((name) => shown.includes(name)),
			hostFuses() ? level : [],
		);
		t.true(['sse4_2', 'movbe', 'abm'].every((name) => shown.includes(name)));
	},
);

vmTest('a feature that no guest finds here is an error that names it', {on: x86BackEnds}, async (t, machine) => {
	const error = await t.throwsAsync(
		machine({...keeper(1), cpu: {model: 'x86-64-v2', with: ['svm', 'la57'], without: []}}),
	);
	t.true(isVmmError(error, 'CPU_FEATURES_MISSING'));
	t.regex(error?.message ?? '', /^--cpu x86-64-v2,\+svm,\+la57 has svm.*, which guests of (kvm|software) do not find/);
});

vmTest('a counter has the frequency that was asked for', {on: ['software']}, async (t, machine) => {
	const directory = snapshotPlace(t);
	const guest = await machine({...keeper(3), cpu: {model: 'host', with: [], without: [], tscKhz: 2_345_678}});
	await guest.vm.saveSnapshot(directory);
	const {units} = JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8')) as {units: {vcpus: [object]}};
	t.like(units.vcpus[0], {clock: {khz: 2_345_678}});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 1}, guest.output);
});
