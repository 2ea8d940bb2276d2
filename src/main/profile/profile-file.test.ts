import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {fakeMachine} from '#main/vm/testing';
import {type Guest, readPort, relax} from '#vcpu-worker/hypervisor/testing';
import {profileFor, startProfile} from './profile-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-profile-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const makeFolder = () => mkdtempSync(join(folder, 'one-'));

/** A guest that has always something to do. */
function* guest(): Guest {
	for (;;) {
		yield readPort(0x64, 1);
		yield relax();
	}
}

interface File {
	readonly profiles: readonly {readonly name: string; readonly weights: readonly number[]}[];
}

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as File;

/** Longer than any test. */
const ages = 3600;

test('a profile of a time has samples of each processor, in a file that is its owner’s', async (t) => {
	const {vm} = await fakeMachine(t, [guest, guest], {start: true});
	const path = join(makeFolder(), 'profile.json');
	const profile = await startProfile(vm, {path, hz: 1000});
	const seen = new Set<number>();
	const both = Promise.withResolvers<void>();
	const stop = vm.listenToSamples(1, {
		sample({vcpu}) {
			seen.add(vcpu);
			if (seen.size === 2) both.resolve();
		},
	});
	await both.promise;
	stop();
	t.true((await profile.finish()) >= 2);
	const {profiles} = read(path);
	t.deepEqual(
		profiles.map(({name}) => name),
		['CPU 0', 'CPU 1'],
	);
	for (const {name, weights} of profiles) t.true(weights.length > 0, name);
	t.is(statSync(path).mode & 0o777, 0o600);
	t.is(vm.state, 'running');
});

test('a profile of some seconds ends by itself', async (t) => {
	const {vm} = await fakeMachine(t, [guest], {start: true});
	const path = join(makeFolder(), 'profile.json');
	await profileFor(vm, 0.05, {path});
	t.is(read(path).profiles.length, 1);
});

test('the end of the machine ends a profile, which is written', async (t) => {
	const {vm} = await fakeMachine(t, [guest], {start: true});
	const path = join(makeFolder(), 'profile.json');
	const profile = await startProfile(vm, {path});
	await vm.stop();
	await profile.finish();
	t.is(read(path).profiles.length, 1);
	await t.throwsAsync(profileFor(vm, 1, {path}), {code: 'VM_STOPPED'});
});

test('whoever listens is told of the end while memory is still there, and waited for', async (t) => {
	const {vm, hypervisor} = await fakeMachine(t, [guest], {start: true});
	const done: string[] = [];
	hypervisor.moment = (moment) => {
		if (moment === 'end' || moment === 'close') done.push(moment);
	};
	vm.listenToSamples(1, {
		sample() {},
		async ending(kernelNotes) {
			t.is(await kernelNotes(), undefined);
			t.true(vm.memory.contains(0, 4096));
			done.push('told');
		},
	});
	await vm.stop();
	t.deepEqual(done, ['told', 'close', 'end']);
});

test('a paused machine is not sampled, and goes on to be when it runs again', async (t) => {
	const {vm} = await fakeMachine(t, [guest], {start: true});
	await vm.pause();
	let samples = 0;
	const told = Promise.withResolvers<void>();
	const stop = vm.listenToSamples(1000, {
		sample({ms}) {
			samples++;
			t.true(ms >= 0 && ms < ages * 1000);
			told.resolve();
		},
	});
	for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1));
	t.is(samples, 0);
	await vm.resume();
	await told.promise;
	stop();
});

test('whoever asked gives a profile up, and nothing is left', async (t) => {
	const {vm} = await fakeMachine(t, [guest], {start: true});
	const empty = makeFolder();
	const asked = new AbortController();
	const profile = profileFor(vm, ages, {path: join(empty, 'it')}, {signal: asked.signal});
	asked.abort();
	await t.throwsAsync(profile, {code: 'OPERATION_ABORTED'});
	t.deepEqual(readdirSync(empty), []);
});

test('what is wrong shows before anything is sampled', async (t) => {
	const {vm} = await fakeMachine(t, [guest]);
	const empty = makeFolder();
	const path = join(empty, 'it');
	await t.throwsAsync(startProfile(vm, {path: join(empty, 'missing', 'it')}), {code: 'PROFILE_FAILED'});
	await t.throwsAsync(startProfile(vm, {path, symbols: [{path: join(empty, 'none')}]}), {code: 'SYMBOLS_UNREADABLE'});
	for (const hz of [0, 1001, Number.NaN]) await t.throwsAsync(startProfile(vm, {path, hz}), {code: 'PROFILE_RATE'});
	t.deepEqual(readdirSync(empty), []);
	writeFileSync(path, 'older');
	const profile = await startProfile(vm, {path});
	await profile.abandon();
	t.is(readFileSync(path, 'utf8'), 'older');
});
