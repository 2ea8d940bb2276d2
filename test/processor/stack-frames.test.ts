import test from 'ava';
import type {Processor} from '#vcpu-worker/software/system';
import {codeAt, gates, handle, stackTop, startBytes} from './raw-code.ts';

const vector = 0x20;
/** The first word of the frame of an interrupt without an interrupt stack: what RIP has been. */
const frameAt = stackTop - 40;

for (const [name, deliver] of [
	['an interrupt', (processor: Processor) => processor.interrupt(vector)],
	['an NMI', (processor: Processor) => processor.nmi()],
	['an exception that was being delivered', (processor: Processor) => processor.except(vector)],
] as const)
	test(`the frame of ${name} is written where another processor has decoded code since this one ended`, (t) => {
		// PUSH RAX, so that an entry for stores is known; POP RAX; NOPs; HLT, before which RIP ends by that of a HLT.
		const nops = Array.from({length: 0xf1}, () => 0x90);
		const guest = startBytes([0x50, 0x58, ...nops, 0xf4, 0xf4], codeAt, {processors: 2});
		const {processor, ram} = guest;
		for (const number of [2, vector]) {
			handle(guest, number, [0xf4]);
			const gate = new BigUint64Array(ram.buffer, gates + number * 16, 1);
			// Its handler has this stack.
			gate[0] = (gate[0] as bigint) & ~0x7_0000_0000n;
		}
		t.is(processor.run(1000), 'halted');
		t.is(processor.core.state.rip & 0xffn, 0xf4n);
		// MOV BL,1; HLT, which RIP replaces by a HLT.
		const other = guest.beside(1);
		const execute = () => {
			Object.assign(other.core.state, {rip: BigInt(frameAt)});
			other.core.state.general[3] = 0n;
			other.isHalted = false;
			t.is(other.run(1000), 'halted');
			return other.core.state.general[3];
		};
		ram.set([0xb3, 1, 0xf4], frameAt);
		t.is(execute(), 1n);
		t.true(deliver(processor));
		t.is(ram[frameAt], 0xf4);
		t.is(execute(), 0n);
	});
