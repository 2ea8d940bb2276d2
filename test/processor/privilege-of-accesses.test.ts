import test from 'ava';
import {codeAt, handle, kernelCode, startBytes, tables} from './raw-code.ts';

const programAt = codeAt + 0x1000;
const callsAt = codeAt + 0x2000;
/** In a page that privilege 3 may not access. */
const secretAt = 0x1000;
const [calls, secret] = [30n, 0x1234_5678n];

/** MOV RAX,[RBX]; SYSCALL; JMP to the first. */
const program = [0x48, 0x8b, 0x03, 0x0f, 0x05, 0xeb, 0xf9];
/**
 * The handler of SYSCALL: MOV RDI,[1000h]; MOV EDX,200; DEC EDX; JNZ to that; DEC R13; JNZ to SYSRET; MOV EBX,1000h; SYSRET.
 */
const handler = [
	...[0x48, 0x8b, 0x3c, 0x25, 0, 0x10, 0, 0, 0xba, 200, 0, 0, 0, 0xff, 0xca, 0x75, 0xfc],
	...[0x49, 0xff, 0xcd, 0x75, 5, 0xbb, 0, 0x10, 0, 0, 0x48, 0x0f, 0x07],
];

for (const heat of [undefined, 1, 1000])
	test(`a translation that goes back to a program leaves it the program's accesses: heat ${heat}`, (t) => {
		const guest = startBytes([0x48, 0x0f, 0x07]);
		const {processor, ram} = guest;
		const {state} = processor.core;
		handle(guest, 14, [0xf4]);
		ram.set(program, programAt);
		ram.set(handler, callsAt);
		const words = new BigUint64Array(ram.buffer);
		words[secretAt / 8] = secret;
		words[tables / 8 + 1024] = 0x83n;
		processor.msrs.write(0xc000_0081, (0x18n << 48n) | (8n << 32n));
		processor.msrs.write(0xc000_0082, BigInt(callsAt));
		Object.assign(state.general, {1: BigInt(programAt), 3: BigInt(programAt), 11: 2n, 13: calls});
		processor.heat = heat;
		processor.changed();
		let end = processor.run(10_000);
		for (let turn = 0; turn < 10 && end === 'polled'; turn++) end = processor.run(10_000);
		t.is(end, 'halted');
		t.is(state.cr2, BigInt(secretAt));
		t.not(state.general[0], secret);
		t.is(state.general[13], 0n);
		t.is(processor.translations.size.translations > 0, heat !== undefined);
	});

/** STAC; MOV RAX,[RBX]; CLAC; MOV RDX,[RBX+8]; DEC RCX; JNZ to the first; HLT. */
const lifting = [
	...[0x0f, 0x01, 0xcb, 0x48, 0x8b, 0x03, 0x0f, 0x01, 0xca, 0x48, 0x8b, 0x53, 0x08],
	...[0x48, 0xff, 0xc9, 0x75, 0xee, 0xf4],
];
/** INC R13; behind the error code: ADD QWORD [RSP],4, over the access; IRETQ. */
const skipping = [0x49, 0xff, 0xc5, 0x48, 0x83, 0xc4, 8, 0x48, 0x83, 0x04, 0x24, 4, 0x48, 0xcf];
const smap = 1n << 21n;

for (const heat of [undefined, 1])
	test(`behind CLAC an access faults that STAC would let reach a program's page, also beside one that it has let: heat ${heat}`, (t) => {
		const guest = startBytes(lifting);
		const {processor, ram} = guest;
		const {state} = processor.core;
		handle(guest, 14, skipping);
		const words = new BigUint64Array(ram.buffer);
		words[secretAt / 8] = secret;
		// The 2 MiB of the code, the stacks and the tables.
		words[tables / 8 + 1025] = (1n << 21n) | 0x83n;
		const rounds = 100n;
		state.cr4 |= smap;
		Object.assign(state.general, {1: rounds, 2: 0n, 3: BigInt(secretAt), 13: 0n});
		Object.assign(state.segments[1] ?? {}, {selector: kernelCode});
		processor.heat = heat;
		processor.changed();
		t.is(processor.run(10_000), 'halted');
		t.is(state.general[0], secret);
		t.is(state.general[13], rounds);
		t.is(processor.translations.size.translations > 0, heat !== undefined);
	});
