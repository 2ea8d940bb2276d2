import test from 'ava';
import {byte, dword, eax, ebx, edi, edx, esi, rsi} from '#flowey/x86-assembler';
import {microKernel} from '#test/tmk';
import {startKernel} from './guest-processor.ts';

const pageBytes = 0x1000;

/** Calls an instruction of five bytes, of which two are in the next page, then changes the last of them and calls it again. */
const changing = microKernel('page-crossing', (asm) => {
	const {call, mov, hlt, ret, label, align, zeros, bytes} = asm;
	call('crossing');
	mov(ebx, eax);
	call('crossing');
	mov(edx, eax);
	mov(rsi, {label: 'crossing', add: 4});
	mov(byte(rsi), 0x55);
	call('crossing');
	mov(edi, eax);
	mov(esi, dword('crossing', 1));
	hlt();
	align(pageBytes, 0);
	zeros(pageBytes - 3);
	label('crossing');
	bytes(0xb8, 0x11, 0x22, 0x33, 0x44);
	ret();
});

test('an instruction across two pages is what its bytes are now, in the second page too', (t) => {
	const {processor} = startKernel(changing);
	t.is(processor.run(10_000), 'halted');
	const {general} = processor.core.state;
	const [before, after] = [0x4433_2211n, 0x5533_2211n];
	t.deepEqual([general[3], general[2], general[7], general[6]], [before, before, after, after]);
});
