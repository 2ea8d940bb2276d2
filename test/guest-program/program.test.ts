import test from 'ava';
import {hasQemu, runInQemu} from '#flowey/embedded-guest/testing';
import {wrapForPvh} from '#test/tmk';
import {
	compute,
	cpuid,
	endInterrupt,
	exit,
	expect,
	guestProgram,
	input,
	lineVector,
	load,
	loopWhile,
	openInterruptLine,
	outputs,
	say,
	set,
	sleepWhile,
	startProcessor,
	store,
	when,
	word,
} from './index.ts';

const [value, ticks, isUp, count] = [word('value'), word('ticks'), word('is up'), word('count')];
const testInQemu = hasQemu() ? test.serial : test.serial.skip;

// QEMU runs what needs no machine of ours: the rest is tested on each back end (guest-program.vm.test).
testInQemu("in QEMU, a program's machine code computes, sleeps, is interrupted, and starts a processor", async (t) => {
	const {kernel} = guestProgram({
		name: 'all',
		main: [
			cpuid(value, 0),
			expect(value, '!=', 0),
			set(value, 0xffff_fff0),
			compute(value, 'add', 0x20),
			expect(value, '==', 0x10),
			store(0x20_0000, 1, 0x12, 2),
			load(value, 0x20_0000, 2, 2),
			expect(value, '==', 0x12),
			openInterruptLine(0),
			outputs([0x43, 0x34], [0x40, 0], [0x40, 16]),
			sleepWhile([ticks, '<', 10]),
			startProcessor(1),
			loopWhile([isUp, '==', 0], compute(count, 'add', 1)),
			say('Two.\n'),
			set(isUp, 2),
			loopWhile([isUp, '==', 2]),
			when([isUp, '==', 3], exit(7)),
		],
		others: [set(isUp, 1), loopWhile([isUp, '==', 1]), input(value, 0x61, 1), set(isUp, 3)],
		handlers: {[lineVector(0)]: [endInterrupt, compute(ticks, 'add', 1)]},
	});
	const {output, status} = await runInQemu({image: wrapForPvh(kernel), arguments: ['-smp', '2']});
	t.is(output, 'Two.\n');
	t.is(status, 2 * 7 + 1);
});
