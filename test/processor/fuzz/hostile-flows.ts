import {
	type Assembler,
	createAssembler,
	dword,
	eax,
	ebx,
	ecx,
	edx,
	qword,
	r8,
	r8d,
	r9d,
	rax,
	rbx,
	rcx,
	rdx,
	times,
} from '#flowey/x86-assembler';

/** Where these are, and the memory that some of them make code in: from there on, as many bytes as that. */
export const flowsAt = 0x10_0000;
const scratch = {at: flowsAt + 0x8_0000, bytes: 0x4_0000} as const;
const lineBytes = 64;

/** Control flow that is hard on a translator, in 64-bit code. */
export interface HostileFlow {
	/** From {@link flowsAt} on: does something as often as RCX says, with its result in RAX, and ends with HLT. */
	readonly code: Uint8Array;
	/** Rounds that are enough to see something. */
	readonly rounds: number;
	/** Executions after which blocks are to be translated. */
	readonly heats: readonly number[];
}

function flow(rounds: number, heats: readonly number[], write: (asm: Assembler) => void): HostileFlow {
	const asm = createAssembler({origin: flowsAt, bits: 64});
	write(asm);
	const {bytes} = asm.finish();
	if (bytes.length > scratch.at - flowsAt) throw new RangeError(`${bytes.length} bytes are too many`);
	return {code: bytes, rounds, heats};
}

/** Does something with RCX counted down until that is 0. */
function counted({label, dec, jnz, hlt}: Assembler, write: () => void): void {
	label('round');
	write();
	dec(rcx);
	jnz('round');
	hlt();
}

/** The next random number in R8; 32 bits of it in EDX. */
function nextRandom({bytes, add, mov, shr}: Assembler): void {
	// IMUL R8,R8,constant.
	bytes(0x4d, 0x69, 0xc0, 0x2d, 0xf4, 0x51, 0x58);
	add(r8, 0x1405_7b7f);
	mov(rdx, r8);
	shr(rdx, 32);
}

/** ADD EAX,constant, of five bytes that are alike. */
const addAlike = 0x05;
const nop = 0x90;
const ret = 0xc3;

/** Each byte of a page is the begin of an instruction. */
function everyByte(): Uint8Array {
	const page = new Uint8Array(4096).fill(addAlike);
	// Whatever is left of an instruction at the end of a line.
	for (let line = 0; line < page.length; line += lineBytes) page.set([nop, nop, nop, nop, ret], line + lineBytes - 5);
	return page;
}

/** JMP to its own second byte, which is INC EAX; MOV AX,05EBh, whose constant is a JMP over what follows its own JZ. */
const withinEachOther = [
	[0xeb, 0xff, 0xc0],
	[0x50, 0x66, 0xb8, 0xeb, 0x05, 0x31, 0xc0, 0x74, 0xfa, 0xe8, 0x58],
] as const;

const functions = 10_000;
const targets = 4096;
const states = 150;
const straight = 20_000;
const generated = 16;

export const hostileFlows: Readonly<Record<string, HostileFlow>> = {
	'code that is made without end': flow(10_000, [2], (asm) => {
		const {mov, call, add, cmp, jne, label, test: testBits, jnz, lea} = asm;
		mov(ebx, scratch.at);
		counted(asm, () => {
			// MOV ESI,n; ADD EAX,ESI; RET: at the next place, which is one that was written long ago.
			mov(dword(rbx), 0xbe);
			mov(dword(rbx, 1), ecx);
			mov(dword(rbx, 5), 0xc3_f001);
			call(rbx);
			testBits(ecx, 15);
			jnz('once');
			mov(r9d, 4);
			label('often');
			call(rbx);
			asm.dec(r9d);
			jnz('often');
			label('once');
			lea(rbx, qword(rbx, generated));
			cmp(ebx, scratch.at + scratch.bytes);
			jne('next');
			mov(ebx, scratch.at);
			label('next');
			add(eax, 1);
		});
	}),
	'branches to every byte of a page': flow(3, [2], (asm) => {
		const {mov, lea, label, call, inc, cmp, jne, align, bytes} = asm;
		counted(asm, () => {
			mov(edx, 0);
			label('byte');
			lea(rbx, qword(rdx, 'page'));
			call(rbx);
			inc(edx);
			cmp(edx, 4096);
			jne('byte');
		});
		align(4096);
		label('page');
		bytes(everyByte());
	}),
	'instructions within others': flow(20, [1, 3], (asm) => {
		const {call, label, bytes} = asm;
		counted(asm, () => call('within'));
		label('within');
		for (let index = 0; index < 100; index++) for (const snippet of withinEachOther) bytes(...snippet);
		bytes(ret);
	}),
	'loops that are entered everywhere': flow(20_000, [1, 5], (asm) => {
		const {mov, label, add, dec, jz, jnz, hlt, jmp, test: testBits, rol} = asm;
		mov(r8d, 1);
		for (let state = 0; state < states; state++) {
			label(`state-${state}`);
			dec(rcx);
			jz('end');
			nextRandom(asm);
			add(rax, rdx);
			rol(rax, 3);
			testBits(edx, 1 << (state % 7));
			jnz(`state-${(state * 7 + 3) % states}`);
			testBits(edx, 0x80 << (state % 5));
			jnz(`state-${(state * 11 + 100) % states}`);
			if (state % 3 === 0) jmp(`state-${(state + 271) % states}`);
		}
		jmp('state-0');
		label('end');
		hlt();
	}),
	'a switch of 4096 targets': flow(12_000, [2], (asm) => {
		const {mov, label, and, add, jmp, dec, jnz, hlt, align, qwords} = asm;
		mov(r8d, 1);
		label('round');
		nextRandom(asm);
		and(edx, targets - 1);
		jmp(qword(times(rdx, 8), 'targets'));
		for (let target = 0; target < targets; target++) {
			label(`target-${target}`);
			add(rax, 7 * target + 200);
			jmp('joined');
		}
		label('joined');
		dec(rcx);
		jnz('round');
		hlt();
		align(8);
		label('targets');
		for (let target = 0; target < targets; target++) qwords(`target-${target}`);
	}),
	'100 KB without a branch': flow(3, [1], (asm) => {
		const {add} = asm;
		counted(asm, () => {
			for (let index = 0; index < straight; index++) add(eax, 0x1234_5678 + index);
		});
	}),
	'ten thousand functions that are called in turn': flow(3, [2], (asm) => {
		const {mov, call, label, add, cmp, jne, align, bytes} = asm;
		counted(asm, () => {
			mov(ebx, 'functions');
			label('function');
			call(rbx);
			add(rbx, 16);
			cmp(rbx, 'end');
			jne('function');
		});
		align(16);
		label('functions');
		for (let index = 0; index < functions; index++) {
			add(eax, 0x1_0000 + index);
			bytes(ret);
			align(16);
		}
		label('end');
	}),
};
