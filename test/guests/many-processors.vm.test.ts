import {setTimeout} from 'node:timers/promises';
import {forever, guestProgram, startProcessor} from '#test/guest-program';
import {bringUpTest, vmTest} from '#test/petri';

const count = 64;
const others = Array.from({length: count - 1}, (_, index) => index + 1);
/** Processors that spin with interrupts off. */
const spinning = guestProgram({
	name: 'spinning',
	main: [...others.map(startProcessor), forever()],
	others: [forever()],
});

bringUpTest(count);

const title = '64 processors that spin with interrupts off are looked at, paused, reset and stopped';
vmTest(title, {on: ['software']}, async (t, machine) => {
	const guest = await machine({program: spinning, processors: {count}});
	const of = (path: string) => Promise.all([0, ...others].map((vcpu) => guest.inspect(`vm/vcpus/${vcpu}/${path}`)));
	/** Each answers itself, on its own thread, amid its loop. */
	const allSpin = async () => {
		while ((await of('activity')).some((activity) => activity !== 'runnable')) await setTimeout(20);
	};
	await guest.vm.start();
	await allSpin();
	await guest.vm.pause();
	const paused = await of('counters/instructions');
	t.true(paused.every((instructions) => Number(instructions) > 0));
	t.deepEqual(await of('counters/instructions'), paused);
	await guest.vm.resume();
	await guest.vm.reset();
	await allSpin();
	await guest.vm.stop();
	t.is(await guest.inspect('vm/state'), 'stopped');
});
