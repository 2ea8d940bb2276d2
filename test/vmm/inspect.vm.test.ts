import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {pathsOf, tables} from '#main/top';
import {
	compute,
	forever,
	guestProgram,
	input,
	loopWhile,
	output,
	say,
	set,
	startProcessor,
	word,
} from '#test/guest-program';
import {everyBackEnd, type TestVm, vmTest, x86BackEnds} from '#test/petri';

const everywhere = {on: everyBackEnd};
const folder = mkdtempSync(join(tmpdir(), 'openvmm-inspect-'));
test.after.always(() => rmSync(folder, {recursive: true}));

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Everybody else on this thread comes first. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
const wholeDepth = 64;

const [isUp, rounds, otherRounds] = [word('is up'), word('rounds'), word('other rounds')];
/** Two processors that work without end, the first of them at a port. */
const program = guestProgram({
	name: 'two',
	main: [
		startProcessor(1),
		loopWhile([isUp, '==', 0]),
		say('Two.\n'),
		forever(output(0x80, 1, rounds), compute(rounds, 'add', 1)),
	],
	others: [set(isUp, 1), forever(compute(otherRounds, 'add', 1))],
});
const two = {processors: {count: 2}, program};

/** Paths of everything that gave no answer or an error. */
function failures(tree: unknown, path = ''): string[] {
	if (typeof tree !== 'object' || tree === null) return [];
	return Object.entries(tree).flatMap(([name, child]) =>
		name === '$error' || name === '$unresolved' ? [`${path}: ${child}`] : failures(child, `${path}/${name}`),
	);
}

async function allAnswers(t: ExecutionContext, guest: TestVm, state: string): Promise<void> {
	t.is(await guest.inspect('vm/state'), state);
	t.deepEqual(failures(await guest.inspect('', wholeDepth)), []);
}

vmTest('everything can be seen in every state of a machine', everywhere, async (t, machine) => {
	const guest = await machine({...two, irqchip: 'split'});
	await allAnswers(t, guest, 'created');
	await guest.vm.start();
	await guest.waitFor(/Two/);
	await allAnswers(t, guest, 'running');
	await guest.vm.pause();
	await allAnswers(t, guest, 'paused');
	await guest.vm.stop();
	await allAnswers(t, guest, 'stopped');
});

const live = 'registers of running processors are live, those of a paused machine stand still';
vmTest(live, everywhere, async (t, machine) => {
	const guest = await machine(two);
	await guest.vm.start();
	await guest.waitFor(/Two/);
	const registers = async (vcpu: number) =>
		(await guest.inspect(`vm/vcpus/${vcpu}/registers`)) as Record<string, string>;
	for (const vcpu of [0, 1]) {
		t.is(await guest.inspect(`vm/vcpus/${vcpu}/activity`), 'runnable');
		const seen = new Set<string>();
		// A guest that works does not stand at one place for ever.
		for (; seen.size < 2; await turn()) seen.add(JSON.stringify(await registers(vcpu)));
	}
	// Many askers at once get one answer each, and the guest goes on.
	const many = await Promise.all(Array.from({length: 50}, () => registers(1)));
	t.true(many.every(({rip}) => typeof rip === 'string' && BigInt(rip) > 0n));
	await guest.vm.pause();
	t.deepEqual(await registers(1), await registers(1));
});

const harmless = 'looking at a machine while it is paused, resumed and reset without end harms nobody';
vmTest(harmless, everywhere, async (t, machine) => {
	const guest = await machine(two);
	await guest.vm.start();
	await guest.waitFor(/Two/);
	let looking = true;
	const looks = (async () => {
		let count = 0;
		for (; looking; count++, await turn()) await guest.vm.inspect('vm/vcpus', {depth: wholeDepth, timeoutMs: 20_000});
		return count;
	})();
	for (let round = 0; round < 20; round++) {
		await guest.vm.pause();
		await guest.vm.resume();
		if (round % 5 === 4) await guest.vm.reset();
	}
	looking = false;
	t.true((await looks) > 0);
	await allAnswers(t, guest, 'running');
});

vmTest('exits are timed as often as one asks, and counted by kind', everywhere, async (t, machine) => {
	const guest = await machine(two);
	await guest.vm.update('vm/latencies/sampleEvery', '1');
	await guest.vm.start();
	await guest.waitFor(/Two/);
	const samples = async () => (await guest.inspect('vm/latencies/port/samples')) as number;
	const exits = async () => (await guest.inspect('vm/vcpus/0/exits/port')) as number;
	while ((await samples()) < 100) await sleep(20);
	await guest.vm.update('vm/latencies/sampleEvery', '0');
	await guest.vm.pause();
	const then = await samples();
	t.true(then <= (await exits()));
	await guest.vm.reset();
	await guest.vm.resume();
	await guest.waitFor(/(Two[\s\S]*){2}/);
	t.is(await samples(), then);
	await t.throwsAsync(guest.vm.update('vm/latencies/sampleEvery', 'often'), {code: 'INSPECT_VALUE_INVALID'});
	await t.throwsAsync(guest.vm.update('vm/vcpus/0/exits/port', '0'), {code: 'INSPECT_READ_ONLY'});
});

const counted =
	"what a software processor does is counted, with the rate of its instructions, and without the processor's help";
vmTest(counted, {on: ['software']}, async (t, machine) => {
	const guest = await machine(two);
	await guest.vm.start();
	await guest.waitFor(/Two/);
	const counters = async (vcpu: number, part = '') =>
		(await guest.inspect(`vm/vcpus/${vcpu}/counters${part}`)) as Record<string, number>;
	for (const vcpu of [0, 1]) {
		// Others may have the host's processors for a while.
		while (((await counters(vcpu))['instructionsPerSecond'] as number) === 0) await sleep(20);
		const {instructions, exits, tlbMisses, blockMisses, decodedPages, exactFloats} = await counters(vcpu);
		for (const found of [instructions, exits, tlbMisses, blockMisses, decodedPages]) t.true((found as number) > 0);
		t.is(exactFloats, 0);
		// Its loop becomes hot.
		while ((await counters(vcpu, '/translations'))['present'] === 0) await sleep(20);
		for (const path of pathsOf(tables)) t.is(typeof (await guest.inspect(`vm/vcpus/${vcpu}/${path}`)), 'number', path);
	}
	await guest.vm.pause();
	const then = await counters(1);
	t.is(then['instructionsPerSecond'], 0);
	t.deepEqual(await counters(1), then);
	const {steps = 0, maxSteps = 0} = then;
	t.true(steps > 0 && steps <= maxSteps);
	const {made = 0, dropped, present, bytes = 0, maxBytes = 0} = await counters(1, '/translations');
	t.is(dropped, made - (present as number));
	t.true(bytes > 0 && bytes <= maxBytes);
});

const port = 0x610;
/** Wakes the device that hangs, then reads its port without end. */
const reader = guestProgram({name: 'reader', main: [output(port, 1, 7), forever(input(word('read'), port, 1))]});

// All of a fake machine is on the thread that would hang.
vmTest("while the devices' thread hangs, everything can be seen", {on: x86BackEnds}, async (t, machine) => {
	const release = join(folder, 'release');
	const module = join(process.cwd(), 'test/vmm/fixtures/hanging-device.ts');
	const guest = await machine({program: reader, devices: [{module, options: {release}}]});
	t.teardown(() => writeFileSync(release, ''));
	await guest.vm.start();
	while (!String(await guest.inspect('vm/reactor/status')).startsWith('hangs')) await sleep(50);
	t.deepEqual(failures(await guest.inspect('', wholeDepth)), []);
	t.is(await guest.inspect('vm/devices/hanging/state/written'), 7);
	const {rip, rdx} = (await guest.inspect('vm/vcpus/0/registers')) as Record<string, string>;
	const {loadAddress, image} = reader.kernel;
	t.true(BigInt(rip ?? 0) >= loadAddress && BigInt(rip ?? 0) < loadAddress + image.length);
	t.is(Number(BigInt(rdx ?? 0) & 0xffffn), port);
	t.true(((await guest.inspect('vm/vcpus/0/exits/port')) as number) > 1);
});
