import {join} from 'node:path';
import {expect, guestProgram, input, loopWhile, output, set, word} from '#test/guest-program';
import {everyBackEnd, openTestSnapshot, snapshotPlace, vmTest} from '#test/petri';

const module = join(process.cwd(), 'test/vmm/fixtures/asking-device.ts');
const [state, answer] = [word('state'), word('answer')];
const port = 0x620;
/** What the guest reads where no number came. */
const none = 0xffff_ffff;

/** Asks for a number, and waits for what comes. */
const ask = (number: number) => [
	output(port, 4, number),
	set(state, 0),
	loopWhile([state, '==', 0], input(state, port, 4)),
	input(answer, port + 4, 4),
];
const asking = (...main: Parameters<typeof guestProgram>[0]['main']) => guestProgram({name: 'asking', main});
const exited = {kind: 'exit', status: 1} as const;

vmTest('a device asks a function of the program, whatever that does', {on: everyBackEnd}, async (t, machine) => {
	const asked: number[] = [];
	const answers = async (number: number) => {
		asked.push(number);
		if (number === 21) throw new Error('too much');
		return number === 22 ? {nobody: () => 'can have this'} : 2 * number + 1;
	};
	const program = asking(
		...ask(20),
		expect(answer, '==', 41),
		...ask(21),
		expect(answer, '==', none),
		...ask(22),
		expect(answer, '==', none),
		...ask(23),
		expect(answer, '==', 47),
	);
	const guest = await machine({program, devices: [{module, options: {answer: answers}}]});
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, exited);
	t.deepEqual(asked, [20, 21, 22, 23]);
});

vmTest('a machine ends while its program is asked, which hears of it', {on: everyBackEnd}, async (t, machine) => {
	const [begun, heard] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const answers = (_number: number, signal: AbortSignal) => {
		signal.addEventListener('abort', () => heard.resolve());
		begun.resolve();
		return new Promise(() => {});
	};
	const guest = await machine({program: asking(...ask(1)), devices: [{module, options: {answer: answers}}]});
	await guest.vm.start();
	await begun.promise;
	await guest.vm.stop();
	await heard.promise;
	t.is(guest.vm.state, 'stopped');
});

vmTest(
	'functions are in no snapshot: each machine that goes on from one has its own',
	{on: everyBackEnd},
	async (t, machine) => {
		const program = asking(...ask(20), expect(answer, '==', 7));
		const of = (number: number) => ({program, devices: [{module, options: {answer: () => number}}]});
		const guest = await machine(of(6));
		const directory = snapshotPlace(t);
		await guest.vm.saveSnapshot(directory);
		await guest.vm.start();
		t.notDeepEqual(await guest.vm.ended, exited);
		const snapshot = openTestSnapshot(t, directory);
		const clones = await Promise.all([7, 8, 7].map((number) => machine(of(number), {snapshot})));
		const ends = clones.map(async ({vm}) => {
			await vm.start();
			return vm.ended;
		});
		const [first, second, third] = await Promise.all(ends);
		t.deepEqual([first, third], [exited, exited]);
		t.notDeepEqual(second, exited);
		const without = {program, devices: [{module}]};
		await t.throwsAsync(machine(without, {snapshot}), {code: 'CONFIG_VALUE_MISSING', message: /answer is missing/});
	},
);
