import {compute, exit, forever, guestProgram, halt, say, when, word} from '#test/guest-program';
import {everyBackEnd, vmTest} from '#test/petri';

const wanted = 3;
const nmis = word('nmis');
const program = guestProgram({
	name: 'nmi',
	main: [say('!'), forever(halt, when([nmis, '==', wanted], exit(0)))],
	handlers: {2: [compute(nmis, 'add', 1), say('.')]},
});

const title = 'every non-maskable interrupt reaches a processor that halts with interrupts off';
vmTest(title, {on: everyBackEnd}, async (t, machine) => {
	const guest = await machine({program});
	await guest.vm.start();
	await guest.waitFor(/!/);
	for (let round = 1; round <= wanted; round++) {
		await guest.vm.nmi();
		// One that comes while another waits is the same one.
		if (round < wanted) await guest.waitFor(new RegExp(`!\\.{${round}}`));
	}
	t.deepEqual(await guest.vm.ended, {kind: 'exit', status: 1});
});
