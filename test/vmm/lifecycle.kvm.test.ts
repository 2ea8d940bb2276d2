import test from 'ava';
import {embedded, type TestVm, testVm} from '#test/petri';

/** Lets the guest run until it has come to what its command line asks for. */
async function busy(guest: TestVm): Promise<void> {
	await guest.vm.start();
	await guest.waitFor(/CPUs: 2 found, 2 running/);
}

for (const behaviour of ['loop', 'hang=cli', 'hang=hlt', 'hang=sti-hlt']) {
	test.serial(`a guest in ${behaviour} can be paused, resumed, reset and stopped`, async (t) => {
		const guest = await testVm(t, {processors: {count: 2}, boot: embedded(behaviour)});
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
	test.serial(
		`a guest at work loses nothing while it is paused and resumed without end, irqchip ${irqchip}`,
		async (t) => {
			const guest = await testVm(t, {processors: {count: 2}, irqchip, boot: embedded('work=500000')});
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

test.serial('a paused machine does nothing, keeps its time, and goes on where it was', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, boot: embedded('loop')});
	await busy(guest);
	await guest.vm.pause();
	const whole = () => guest.inspect('vm/devices', 3);
	const time = async () => (await guest.inspect('vm/time')) as number;
	const [before, then] = [await whole(), await time()];
	await new Promise((resolve) => setTimeout(resolve, 300));
	t.deepEqual(await whole(), before);
	t.is(await time(), then);
	await guest.vm.resume();
	await new Promise((resolve) => setTimeout(resolve, 50));
	t.true((await time()) > then);
});

test.serial('a machine that is built paused is reset and stopped without having run', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, boot: embedded('loop')});
	t.is(guest.vm.state, 'created');
	await guest.vm.pause();
	await guest.vm.reset();
	t.is(guest.output, '');
	await guest.vm.stop();
	await guest.vm.stop();
	await guest.vm.start();
	t.deepEqual(await guest.vm.ended, {kind: 'stopped'});
});

test.serial('operations called at once are done one after another', async (t) => {
	const guest = await testVm(t, {processors: {count: 2}, boot: embedded('loop')});
	const {vm} = guest;
	await Promise.all([vm.start(), vm.pause(), vm.resume(), vm.reset(), vm.pause(), vm.nmi(), vm.resume(), vm.stop()]);
	t.is(vm.state, 'stopped');
});

test.serial('a power-off can leave the machine halted, to be reset by hand', async (t) => {
	const guest = await testVm(t, {boot: embedded('work=10000'), guestActions: {shutdown: 'halt'}});
	await guest.vm.start();
	while (guest.vm.state !== 'halted') await new Promise((resolve) => setTimeout(resolve, 20));
	await guest.vm.reset();
	await guest.waitFor(/(Powering off[\s\S]*){2}/);
	while (guest.vm.state !== 'halted') await new Promise((resolve) => setTimeout(resolve, 20));
	t.is(guest.vm.state, 'halted');
});
