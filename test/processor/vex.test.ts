import test from 'ava';
import {startLegacy} from './legacy-machine.ts';
import {runBytes} from './raw-code.ts';

const invalidOpcode = 6;
const virtualMode = 0x2_0000;
/** ANDN EAX,ECX,EDX. */
const andn = [0xc4, 0xe2, 0x70, 0xf2, 0xc2];

test('a VEX prefix needs protected mode, and counts registers as the size of code does', (t) => {
	const {processor, run} = startLegacy([...andn, 0xf4]);
	processor.core.state.general.set([0n, 0xf0n, 0xffn]);
	t.is(run(), 'halted');
	t.is(processor.core.state.general[0], 0x0fn);
	const ended = (change: (machine: ReturnType<typeof startLegacy>) => void) => {
		const machine = startLegacy([...andn, 0xf4], {codeSize: 16});
		change(machine);
		machine.processor.changed();
		const end = machine.run();
		return end === 'halted' ? end : end.vector;
	};
	t.is(
		ended(() => {}),
		'halted',
	);
	const real = ({processor: {core}}: ReturnType<typeof startLegacy>) => {
		core.state.cr0 &= ~1n;
	};
	t.is(ended(real), invalidOpcode);
	const virtual = ({processor: {core}}: ReturnType<typeof startLegacy>) => {
		core.state.controlFlags |= virtualMode;
	};
	t.is(ended(virtual), invalidOpcode);
	// C4 with memory is LES outside of 64-bit code.
	const les = startLegacy([0xc4, 0x05, 0x00, 0x90, 0, 0, 0xf4]);
	les.ram.set([0x78, 0x56, 0x34, 0x12, 0x10, 0], 0x9000);
	t.is(les.run(), 'halted');
	t.is(les.processor.core.state.general[0], 0x1234_5678n);
	// VEX.B, VEX.W and the highest bit of VEX.vvvv say nothing there.
	const wide = startLegacy([0xc4, 0xc2, 0xb0, 0xf2, 0xc2, 0xf4]);
	wide.processor.core.state.general.set([0n, 0xf0n, 0xffn]);
	t.deepEqual([wide.run(), wide.processor.core.state.general[0]], ['halted', 0x0fn]);
});

test('no prefix may come before VEX that it has in itself, and VEX.vvvv names a register or is all ones', (t) => {
	t.is(runBytes(andn).vector, undefined);
	for (const prefix of [0x66, 0xf2, 0xf3, 0xf0, 0x48]) t.is(runBytes([prefix, ...andn]).vector, invalidOpcode);
	for (const prefix of [0x2e, 0x64, 0x67]) t.is(runBytes([prefix, ...andn]).vector, undefined);
	// RORX has no third register; map 0 and map 4 have nothing.
	t.is(runBytes([0xc4, 0xe3, 0x7b, 0xf0, 0xc3, 1]).vector, undefined);
	t.is(runBytes([0xc4, 0xe3, 0x73, 0xf0, 0xc3, 1]).vector, invalidOpcode);
	for (const map of [0xe0, 0xe4]) t.is(runBytes([0xc4, map, 0x70, 0xf2, 0xc2]).vector, invalidOpcode);
});
