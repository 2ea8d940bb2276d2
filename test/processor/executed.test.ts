import test from 'ava';
import {microKernel} from '#test/tmk';
import {startKernel} from './guest-processor.ts';

/** Calls a function of one block, for ever. */
const caller = microKernel('caller', (asm) => {
	const {label, call, jmp, nop, ret} = asm;
	label('loop');
	call('callee');
	label('behind');
	nop();
	label('jump');
	jmp('loop');
	label('callee');
	for (let count = 0; count < 5; count++) nop();
	label('return');
	ret();
});

test('a processor that stops tells the instruction at which code ended, not the one where it goes on', (t) => {
	const {processor} = startKernel(caller);
	const {state} = processor.core;
	const at = (label: string) => BigInt(caller.addressOf(label));
	t.is(processor.executed, undefined);
	processor.run(100);
	const ends = new Map([
		[at('loop'), at('callee')],
		[at('return'), at('behind')],
		[at('jump'), at('loop')],
	]);
	const seen = new Set<bigint>();
	for (let budget = 1; budget < 50; budget++) {
		t.is(processor.run(budget), 'polled');
		const {executed} = processor;
		t.is(ends.get(executed ?? 0n), state.rip, `${executed?.toString(16)}`);
		seen.add(executed ?? 0n);
	}
	t.is(seen.size, ends.size);
	processor.changed();
	t.is(processor.executed, undefined, 'registers are others now');
});
