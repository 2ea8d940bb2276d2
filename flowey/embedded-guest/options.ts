import {type Assembler, byte, dword, eax, ecx, edi, edx, r8, r8d, r9, rdx, rsi} from '#flowey/x86-assembler';
import type {Texts} from './text.ts';

/** The value of an option that was not given. */
export const notGiven = 0xffff_ffff;

interface Option {
	/** The word, up to its `=` where a number follows. */
	readonly word: string;
	/** The variable it sets, without the prefix `option-`. */
	readonly sets: string;
	/** Value that a word without a number sets. */
	readonly to: number;
}

const flag = (word: string, sets: string = word, to = 1): Option => ({word, sets, to});

/** The words of the command line; all others are ignored. */
export const options: readonly Option[] = [
	flag('work'),
	flag('loop'),
	flag('hang=cli', 'hang', 1),
	flag('hang=hlt', 'hang', 2),
	flag('hang=sti-hlt', 'hang', 3),
	flag('flood', 'flood', 1000),
	flag('ports'),
	flag('mmio'),
	flag('fault'),
	flag('jump'),
	flag('exit', 'exit', 0),
	flag('reset'),
	flag('echo'),
	flag('x2apic'),
	flag('enter=iret', 'enter', 0),
	flag('enter=sysret', 'enter', 1),
	flag('leave=syscall', 'leave', 0),
	flag('leave=int', 'leave', 1),
];

/** Options whose absence is not the same as 0. */
const initiallyNotGiven = new Set(['work', 'exit']);
const entrySize = 16;

/** Walks the command line once, comparing each word with the table. */
export function emitOptions(asm: Assembler): void {
	const {label, mov, movzx, cmp, ja, je, jne, jz, jmp, test, inc, add, sub, imul, ret, prefix, cmpsb} = asm;
	label('read-options'); // RSI command line, may be 0
	test(rsi, rsi);
	jz('options-done');
	label('option-word');
	cmp(byte(rsi), 0);
	je('options-done');
	cmp(byte(rsi), 0x20);
	ja('option-match');
	inc(rsi);
	jmp('option-word');

	label('option-match');
	mov(r8d, 'option-table');
	label('option-entry');
	mov(r9, rsi);
	mov(edi, dword(r8));
	test(edi, edi);
	jz('option-skip');
	mov(ecx, dword(r8, 4));
	prefix('rep');
	cmpsb();
	jne('option-next');
	mov(edx, dword(r8, 8)); // variable
	mov(eax, dword(r8, 12));
	movzx(ecx, byte(rsi));
	cmp(ecx, 0x20);
	asm.jbe('option-store');
	cmp(ecx, 0x3d); // '='
	jne('option-next');
	asm.xor(eax, eax);
	label('option-digit');
	inc(rsi);
	movzx(ecx, byte(rsi));
	sub(ecx, 0x30);
	cmp(ecx, 9);
	ja('option-store');
	imul(eax, eax, 10);
	add(eax, ecx);
	jmp('option-digit');
	label('option-store');
	mov(dword(rdx), eax);
	jmp('option-skip');
	label('option-next');
	mov(rsi, r9);
	add(r8, entrySize);
	jmp('option-entry');

	label('option-skip'); // to the end of the word
	cmp(byte(rsi), 0x20);
	asm.jbe('option-word');
	inc(rsi);
	jmp('option-skip');
	label('options-done');
	ret();
}

/** The option table, ended by a zero, and the variables. */
export function emitOptionsData({label, align, dwords}: Assembler, texts: Texts): void {
	align(16, 0);
	label('option-table');
	for (const {word, sets, to} of options) dwords(texts.labelOf(word), word.length, `option-${sets}`, to);
	dwords(0, 0, 0, 0);
	for (const name of new Set(options.map(({sets}) => sets))) {
		label(`option-${name}`);
		dwords(initiallyNotGiven.has(name) ? notGiven : 0);
	}
}
