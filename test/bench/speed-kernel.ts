import {
	type Assembler,
	al,
	dx,
	ecx,
	edx,
	qword,
	r8,
	r9,
	r10,
	rax,
	rbx,
	rcx,
	rdi,
	rdx,
	rsi,
	times,
} from '#flowey/x86-assembler';
import {microKernel, wrapForPvh} from '#test/tmk';

/** A part of the kernel: a loop. */
export interface SpeedPart {
	readonly name: string;
	readonly rounds: number;
	readonly unit: string;
	/** Gives the figure in that unit, of the milliseconds of a round. */
	figure(roundMs: number): number;
	emit(asm: Assembler): void;
}

/** Mask register of the first 8259, which both machines have as a device of theirs. */
const picMask = 0x21;
const com1 = 0x3f8;
const functionCount = 4;
/** Data that the parts work on. */
const buffer = 0x40_0000;
const bufferMask = 0xfff8;

/** A part that is measured in millions of instructions a second, of so many a round. */
const instructions = (each: number): Pick<SpeedPart, 'unit' | 'figure'> => ({
	unit: 'M instr/s',
	figure: (roundMs) => each / 1000 / roundMs,
});

/** Nine instructions, of which one loads and one stores. */
const hot: SpeedPart = {
	name: 'hot loop',
	rounds: 60_000_000,
	...instructions(9),
	emit(asm) {
		const {mov, add, xor, and, shl, lea} = asm;
		mov(rdx, qword(rsi));
		add(rdx, rax);
		lea(rbx, qword(rdx, 3));
		xor(rax, rbx);
		shl(rbx, 3);
		and(rbx, bufferMask);
		mov(qword(rsi, 8), rbx);
	},
};

/** Calls, by a table too, a branch that goes either way, a stack, data over 64 KiB, a short string: 39.5 instructions on average. */
const mixed: SpeedPart = {
	name: 'mixed code',
	rounds: 6_000_000,
	...instructions(39.5),
	emit(asm) {
		const {mov, add, xor, and, shr, lea, imul, push, pop, call, test, jz, label, movzx, rol, prefix, movsq} = asm;
		imul(rax, rax, 1_664_525);
		add(rax, 1_013_904_223);
		mov(rdx, rax);
		shr(rdx, 20);
		and(rdx, bufferMask);
		mov(rbx, qword(rsi, times(rdx, 1)));
		add(qword(rsi, times(rdx, 1)), 1);
		test(al, 0x40);
		jz('even');
		rol(rbx, 5);
		xor(r8, rbx);
		lea(r8, qword(r8, 7));
		label('even');
		push(rcx);
		mov(rcx, rax);
		shr(rcx, 9);
		and(ecx, functionCount - 1);
		call(qword('functions', times(rcx, 8)));
		call('function-0');
		push(rsi);
		mov(ecx, 2);
		lea(rdi, qword(rsi, 0x1_0000));
		prefix('rep');
		movsq();
		pop(rsi);
		pop(rcx);
		movzx(edx, al);
		add(r9, rdx);
	},
};

const ports: SpeedPart = {
	name: 'port read',
	rounds: 2_000_000,
	unit: 'ns an access',
	figure: (roundMs) => roundMs * 1e6,
	emit: (asm) => asm.in(al, picMask),
};

/** What is measured, in the order in which the kernel does it. */
export const speedParts: readonly SpeedPart[] = [hot, mixed, ports];

/** Functions of six instructions each. */
function emitFunctions({label, mov, add, sub, xor, rol, imul, lea, ret, align, qwords}: Assembler): void {
	const bodies = [() => imul(rdx, rdx, 31), () => sub(rdx, rbx), () => xor(rdx, r9), () => mov(rdx, qword(rsi, 64))];
	for (const [index, body] of bodies.entries()) {
		label(`function-${index}`);
		body();
		add(r10, rdx);
		rol(r10, index + 1);
		lea(rdx, qword(r10, times(rbx, 4)));
		xor(r9, rdx);
		ret();
	}
	align(8, 0);
	label('functions');
	qwords(...bodies.map((_, index) => `function-${index}`));
}

/** What the kernel says when it begins a part: a letter. The one behind the last part is its end. */
export const letterOf = (part: number): string => String.fromCharCode(65 + part);

/** A 64-bit kernel that any PVH loader boots: it does one part after the other, and says on COM1 when it begins each. */
export function speedKernel(): Uint8Array {
	const kernel = microKernel('speed', (asm) => {
		const {label, mov, xor, dec, jnz, jmp, out, cli, hlt} = asm;
		const say = (part: number) => {
			mov(dx, com1);
			mov(al, letterOf(part).charCodeAt(0));
			out(dx, al);
		};
		mov(rsi, buffer);
		for (const register of [rax, rbx, rdx, r8, r9, r10]) xor(register, register);
		for (const [index, {emit, rounds}] of speedParts.entries()) {
			say(index);
			mov(rcx, rounds);
			label(`part-${index}`);
			emit(asm);
			dec(rcx);
			jnz(`part-${index}`);
		}
		say(speedParts.length);
		label('done');
		cli();
		hlt();
		jmp('done');
		emitFunctions(asm);
	});
	return wrapForPvh(kernel);
}
