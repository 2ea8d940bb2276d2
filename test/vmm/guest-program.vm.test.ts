import {
	compute,
	exit,
	expect,
	firstUnmet,
	forever,
	guestProgram,
	halt,
	input,
	load,
	loopWhile,
	output,
	say,
	set,
	startProcessor,
	store,
	when,
	word,
} from '#test/guest-program';
import {everyBackEnd, vmTest} from '#test/petri';

const everywhere = {on: everyBackEnd};
const [a, b] = [word('a'), word('b')];
const statusOf = (code: number) => ({kind: 'exit', status: (code << 1) | 1}) as const;

vmTest('a program computes, decides, and has its words in memory', everywhere, async (t, machine) => {
	const program = guestProgram({
		name: 'words',
		main: [
			expect(a, '==', 0),
			set(a, 0xffff_fff0),
			compute(a, 'add', 0x20),
			expect(a, '==', 0x10),
			expect(0xffff_ffff, '>=', 0x8000_0000),
			compute(a, 'or', 0xf000_0001),
			compute(a, 'and', 0xf000_000f),
			compute(a, 'xor', 0xf0),
			set(b, 0),
			loopWhile([b, '<', 1000], compute(b, 'add', 3), when([b, '==', 30], compute(b, 'add', 2000))),
			store(0x20_0000, 4, a),
			store(0x20_0000, 1, 0x12, 2),
			load(a, 0x20_0000, 2, 2),
			store(0x20_0000, 2, b, 4),
			exit(7),
		],
	});
	const {vm} = await machine({program});
	await vm.start();
	t.deepEqual(await vm.ended, statusOf(7));
});

vmTest('an expectation that is not met ends the program with its own code', everywhere, async (t, machine) => {
	const program = guestProgram({
		name: 'expectations',
		main: [input(a, 0x3fd, 1), expect(a, '!=', 0xff), expect(a, '==', 0xff), expect(a, '==', 0xff)],
	});
	const {vm} = await machine({program});
	await vm.start();
	t.deepEqual(await vm.ended, statusOf(firstUnmet + 1));
});

vmTest('a program starts another processor, at each power-on anew', everywhere, async (t, machine) => {
	const mayEnd = word('may end');
	const program = guestProgram({
		name: 'two',
		main: [
			expect(a, '==', 0),
			startProcessor(1),
			loopWhile([a, '==', 0]),
			say('Two.\n'),
			loopWhile([mayEnd, '==', 0]),
			set(b, 1),
			loopWhile([a, '<', 1000]),
			exit(7),
		],
		others: [set(a, 1), loopWhile([b, '==', 0]), loopWhile([a, '<', 1000], compute(a, 'add', 1))],
	});
	const guest = await machine({program, processors: {count: 2}});
	await guest.vm.start();
	await guest.waitFor(/Two/);
	await guest.vm.reset();
	await guest.waitFor(/(Two[\s\S]*){2}/);
	guest.vm.memory.writeU32(program.addressOf(mayEnd), 1);
	t.deepEqual(await guest.vm.ended, statusOf(7));
});

vmTest('a program speaks, and what it wrote can be read meanwhile', everywhere, async (t, machine) => {
	const program = guestProgram({name: 'says', main: [set(a, 5), output(0x80, 1, 1), say('Here.\n'), forever(halt)]});
	const guest = await machine({program});
	await guest.vm.start();
	await guest.waitFor(/Here\.\n/);
	await guest.vm.pause();
	t.is(Number(guest.vm.memory.readU32(program.addressOf(a))), 5);
});
