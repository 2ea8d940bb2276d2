import {unchecked} from '#support/trust';
import {compute, forever, guestProgram, halt, interrupts, output, type Statement, say, word} from '#test/guest-program';
import {embedded, type TestVm, vmTest} from '#test/petri';

const [onKvm, everywhere] = [{on: ['kvm']}, {on: ['fake', 'kvm']}] as const;
const program = (...main: readonly Statement[]) => guestProgram({name: 'lifecycle', main: [say('Here.\n'), ...main]});
const rounds = word('rounds');
const loop = program(forever(output(0x80, 1, rounds), compute(rounds, 'add', 1)));

/** Lets the guest run until it has come to what its command line asks for. */
async function busy(guest: TestVm): Promise<void> {
	await guest.vm.start();
	await guest.waitFor(/CPUs: 2 found, 2 running/);
}

for (const behaviour of ['loop', 'hang=cli', 'hang=hlt', 'hang=sti-hlt']) {
	vmTest(`two processors in ${behaviour} can be paused, resumed, reset and stopped`, onKvm, async (t, machine) => {
		const guest = await machine({processors: {count: 2}, boot: embedded(behaviour)});
		await busy(guest);
		for (let round = 0; round < 20; round++) {
			await guest.vm.pause();
			t.is(guest.vm.state, 'paused');
			await guest.vm.resume();
			t.is(guest.vm.state, 'running');
		}
		await guest.vm.reset();
		await guest.waitFor(/(CPUs: 2 found, 2 running[\s\S]*){2}/);
		await guest.vm.nmi();
		await guest.vm.stop();
		t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
		t.is(guest.vm.state, 'stopped');
	});
}

for (const irqchip of ['kernel', 'split'] as const) {
	vmTest(
		`a guest at work loses nothing while it is paused and resumed without end, irqchip ${irqchip}`,
		onKvm,
		async (t, machine) => {
			const guest = await machine({processors: {count: 2}, irqchip, boot: embedded('work=500000')});
			await guest.vm.start();
			let rounds = 0;
			for (; guest.vm.state !== 'stopped'; rounds++) {
				await guest.vm.pause();
				await guest.vm.resume();
				await new Promise((resolve) => setTimeout(resolve, 1));
			}
			t.deepEqual(await guest.vm.ended, {kind: 'power-off'});
			t.regex(guest.output, /Sum \w+ over 1024000000 items .*: OK/);
			t.log(`${rounds} rounds`);
		},
	);
}

const behaviours = {
	loop,
	'CLI and loop': program(interrupts(false), forever()),
	'CLI and HLT': program(interrupts(false), forever(halt)),
	'STI and HLT': program(interrupts(true), forever(halt)),
};

for (const [behaviour, guestProgram] of Object.entries(behaviours)) {
	vmTest(`a guest in ${behaviour} can be paused, resumed, reset and stopped`, everywhere, async (t, machine) => {
		const guest = await machine({program: guestProgram});
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
		await guest.vm.stop();
		t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
		t.is(guest.vm.state, 'stopped');
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
