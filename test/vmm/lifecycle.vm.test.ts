import {latchKind} from '#devices/chipset/latch';
import {unchecked} from '#support/trust';
import {
	compute,
	expect,
	forever,
	guestProgram,
	halt,
	input,
	interrupts,
	loopWhile,
	output,
	type Statement,
	say,
	set,
	startProcessor,
	word,
} from '#test/guest-program';
import {everyBackEnd, irqchipsHere, vmTest} from '#test/petri';

const everywhere = {on: everyBackEnd};
const program = (...main: readonly Statement[]) => guestProgram({name: 'lifecycle', main: [say('Here.\n'), ...main]});
const [isUp, rounds, otherRounds] = [word('is up'), word('rounds'), word('other rounds')];
const loop = program(forever(output(0x80, 1, rounds), compute(rounds, 'add', 1)));

/** Two processors that both do this, and take notice of no NMI. */
const both = (...behaviour: readonly Statement[]) =>
	guestProgram({
		name: 'both',
		main: [startProcessor(1), loopWhile([isUp, '==', 0]), say('Here.\n'), ...behaviour],
		others: [set(isUp, 1), ...behaviour],
		handlers: {2: []},
	});

const behaviours = {
	'loops and a port': both(forever(output(0x80, 1, 1))),
	'CLI and loop': both(interrupts(false), forever()),
	'CLI and HLT': both(interrupts(false), forever(halt)),
	'STI and HLT': both(interrupts(true), forever(halt)),
};

for (const [behaviour, guestProgram] of Object.entries(behaviours)) {
	vmTest(`two processors in ${behaviour} can be paused, resumed, reset and stopped`, everywhere, async (t, machine) => {
		const guest = await machine({processors: {count: 2}, program: guestProgram});
		await guest.vm.start();
		await guest.waitFor(/Here/);
		for (let round = 0; round < 20; round++) {
			await guest.vm.pause();
			t.is(guest.vm.state, 'paused');
			await guest.vm.resume();
			t.is(guest.vm.state, 'running');
		}
		await guest.vm.reset();
		await guest.waitFor(/(Here[\s\S]*){2}/);
		await guest.vm.nmi();
		await guest.vm.stop();
		t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
		t.is(guest.vm.state, 'stopped');
	});
}

const pauses = 50;
const [mayEnd, read, otherRead] = [word('may end'), word('read'), word('other read')];
const [latch, otherLatch] = [0x500, 0x510];
/** Counts until the test lets it end, in memory and at a port alike. */
const counts = (port: number, count: typeof rounds, seen: typeof read) => [
	output(port, 4, 0),
	loopWhile(
		[mayEnd, '==', 0],
		input(seen, port, 4),
		expect(seen, '==', count),
		compute(count, 'add', 1),
		output(port, 4, count),
	),
];
const counting = guestProgram({
	name: 'counting',
	main: [
		startProcessor(1),
		...counts(latch, rounds, read),
		loopWhile([isUp, '==', 0]),
		expect(rounds, '>=', pauses),
		expect(otherRounds, '>=', pauses),
	],
	others: [...counts(otherLatch, otherRounds, otherRead), set(isUp, 1)],
});

for (const irqchip of irqchipsHere) {
	const title = `a guest at work loses nothing however often it is paused and resumed, irqchip ${irqchip}`;
	vmTest(title, everywhere, async (t, machine) => {
		const devices = [latch, otherLatch].map((port) => ({
			name: `latch-${port}`,
			kind: latchKind,
			options: {port},
		}));
		const {vm} = await machine({processors: {count: 2}, irqchip, program: counting, devices});
		await vm.start();
		const done = (count: typeof rounds) => unchecked(vm.memory.readU32(counting.addressOf(count))) ?? 0;
		for (let pause = 1; pause <= pauses; pause++) {
			await vm.pause();
			await vm.resume();
			while ([rounds, otherRounds].some((count) => done(count) < pause))
				await new Promise((resolve) => setTimeout(resolve, 1));
		}
		vm.memory.writeU32(counting.addressOf(mayEnd), 1);
		t.deepEqual(await vm.ended, {kind: 'exit', status: 1});
	});
}

vmTest('a paused machine does nothing, keeps its time, and goes on where it was', everywhere, async (t, machine) => {
	const guest = await machine({program: loop});
	await guest.vm.start();
	await guest.waitFor(/Here/);
	await guest.vm.pause();
	const done = () => unchecked(guest.vm.memory.readU32(loop.addressOf(rounds))) ?? 0;
	const doneBefore = done();
	const whole = () => guest.inspect('vm/devices', 3);
	const time = async () => (await guest.inspect('vm/time')) as number;
	const [before, then] = [await whole(), await time()];
	await new Promise((resolve) => setTimeout(resolve, 300));
	t.deepEqual(await whole(), before);
	t.is(await time(), then);
	t.is(done(), doneBefore);
	await guest.vm.resume();
	while (done() === doneBefore) await new Promise((resolve) => setTimeout(resolve, 10));
	t.true((await time()) > then);
});

vmTest('a machine that is built paused is reset and stopped without having run', everywhere, async (t, machine) => {
	const guest = await machine({processors: {count: 2}, program: loop});
	t.is(guest.vm.state, 'created');
	await guest.vm.pause();
	await guest.vm.reset();
	t.is(guest.output, '');
	await guest.vm.stop();
	await guest.vm.stop();
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
});

vmTest('operations called at once are done one after another', everywhere, async (t, machine) => {
	const {vm} = await machine({processors: {count: 2}, program: loop});
	await Promise.all([vm.start(), vm.pause(), vm.resume(), vm.reset(), vm.pause(), vm.nmi(), vm.resume(), vm.stop()]);
	t.is(vm.state, 'stopped');
});

vmTest('a power-off can leave the machine halted, to be reset by hand', everywhere, async (t, machine) => {
	const off = program(output(0x604, 2, 0x2000), forever());
	let halted = Promise.withResolvers<void>();
	const guest = await machine({program: off, guestActions: {shutdown: 'halt'}}, {halted: () => halted.resolve()});
	await guest.vm.start();
	await halted.promise;
	halted = Promise.withResolvers();
	await guest.vm.reset();
	await halted.promise;
	t.is(guest.vm.state, 'halted');
	t.is(guest.output, 'Here.\n'.repeat(2));
});
