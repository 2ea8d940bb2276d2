import type {WriteLog} from '#devices/guest-memory';
import {forever, guestProgram, halt, load, loopWhile, say, store, word} from '#test/guest-program';
import {everyBackEnd, vmTest} from '#test/petri';

const seen = word('seen');
/** The guest waits until this is no longer 0, in a page of its own. */
const go = 0x20_0000;
const [first, second, untouched] = [0x30_0000, 0x40_0000, 0x50_0000];

const program = guestProgram({
	name: 'stores',
	main: [
		store(first, 4, 1),
		say('one\n'),
		load(seen, go, 4),
		loopWhile([seen, '==', 0], load(seen, go, 4)),
		store(second, 4, 1),
		say('two\n'),
		forever(halt),
	],
});

/** Gives the pages of these that were written. A back end may count some that the guest has only read. */
const written = (log: WriteLog, since: number) =>
	[first, second, untouched].filter((gpa) => {
		let isWritten = false;
		log.writtenAfter(since, {gpa, length: 4096}, () => {
			isWritten = true;
		});
		return isWritten;
	});

const title =
	"a write log knows the guest's own stores, from the moment on that somebody asks and as long as anybody does";
vmTest(title, {on: everyBackEnd}, async (t, machine) => {
	const guest = await machine({program});
	const {vm} = guest;
	const early = vm.writeLog();
	const before = early.checkpoint();
	await vm.start();
	await guest.waitFor(/one\n/);
	const between = early.checkpoint();
	t.deepEqual(written(early, before), [first]);
	// The guest runs while another begins and the first one ends.
	const late = vm.writeLog();
	t.teardown(() => late.close());
	early.close();
	const since = late.checkpoint();
	vm.memory.writeU32(go, 1);
	await guest.waitFor(/two\n/);
	late.checkpoint();
	t.deepEqual(written(late, between), [second]);
	t.deepEqual(written(late, since), [second]);
	await vm.stop();
	t.is(late.checkpoint() - since, 2, 'of a machine that is over it says nothing new');
	t.throws(() => vm.writeLog(), {code: 'VM_STOPPED'});
});
