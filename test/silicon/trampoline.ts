/** The program, in machine code, that puts the processor into the state of each case, runs its code and takes the state after it. */
import {
	type AssembledProgram,
	createAssembler,
	dword,
	eax,
	ecx,
	edi,
	edx,
	qword,
	type Register,
	r8,
	r9,
	r10,
	r11,
	r12,
	r13,
	r14,
	r15,
	rax,
	rbp,
	rbx,
	rcx,
	rdi,
	rdx,
	rsi,
	rsp,
} from '#flowey/x86-assembler';
import {u16, u32, u64, wire} from '#support/wire';
import {codeAddress, regions, windowAddress} from './layout.ts';
import {CaseRecord, codeBytes, fixedRflags, noVector, ProcessorState, windowBytes} from './processor-state.ts';

/** The program's variables. */
export const TrampolineVariables = wire('trampoline variables', {
	/** The case that runs, and the end of the last. */
	current: u64,
	end: u64,
	/** Address at which the case starts, then at which it ended. */
	rip: u64,
	scratch: u64,
	/** RSP where the case ended. */
	endRsp: u64,
	/** Of the caller. */
	rsp: u64,
	mxcsr: u32,
	/** The state components that XSAVE and XRSTOR move: those of x87, SSE and AVX that the host has. */
	components: u32,
	fcw: u16,
});

const registers: readonly Register[] = [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15];
/** Those that a called function leaves as they were (System V ABI). */
const calleeSaved = [rbx, rbp, r12, r13, r14, r15];

const variable = Object.fromEntries(
	[...TrampolineVariables.places].map(([name, {offset}]) => [name, regions.variables.address + offset]),
) as Readonly<Record<keyof typeof TrampolineVariables.fields, number>>;
const stackTop = regions.variables.address + regions.variables.size;

const stateField = (which: 'before' | 'after', field: keyof typeof ProcessorState.fields): number =>
	offsetOf(CaseRecord, which) + offsetOf(ProcessorState, field);
const registerField = (which: 'before' | 'after', index: number): number => stateField(which, 'gpr') + 8 * index;
function offsetOf(layout: {readonly places: ReadonlyMap<string, {readonly offset: number}>}, field: string): number {
	const place = layout.places.get(field);
	if (place === undefined) throw new Error(`no field ${field}`);
	return place.offset;
}

const disp32 = (value: number): readonly number[] => [0, 8, 16, 24].map((shift) => (value >> shift) & 0xff);

/** Instructions that the assembler lacks: on memory at RBX + offset, and at an absolute address. */
const xrstor64 = (offset: number): number[] => [0x48, 0x0f, 0xae, 0xab, ...disp32(offset)];
const xsave64 = (offset: number): number[] => [0x48, 0x0f, 0xae, 0xa3, ...disp32(offset)];
const movupsFromRecord = (xmm: number, offset: number): number[] => [0x0f, 0x10, 0x83 | (xmm << 3), ...disp32(offset)];
const movupsFrom = (xmm: number, address: number): number[] => [
	0x0f,
	0x10,
	0x04 | (xmm << 3),
	0x25,
	...disp32(address),
];
const movupsTo = (address: number, xmm: number): number[] => [0x0f, 0x11, 0x04 | (xmm << 3), 0x25, ...disp32(address)];
const pcmpeqb = (target: number, source: number): number[] => [0x66, 0x0f, 0x74, 0xc0 | (target << 3) | source];
const pand = (target: number, source: number): number[] => [0x66, 0x0f, 0xdb, 0xc0 | (target << 3) | source];
const pmovmskbToEax = (xmm: number): number[] => [0x66, 0x0f, 0xd7, 0xc0 | xmm];
const stmxcsr = (address: number): number[] => [0x0f, 0xae, 0x1c, 0x25, ...disp32(address)];
const ldmxcsr = (address: number): number[] => [0x0f, 0xae, 0x14, 0x25, ...disp32(address)];
const fnstcw = (address: number): number[] => [0xd9, 0x3c, 0x25, ...disp32(address)];
const fldcw = (address: number): number[] => [0xd9, 0x2c, 0x25, ...disp32(address)];
const fninit = [0xdb, 0xe3];
const xgetbv = [0x0f, 0x01, 0xd0];
const vzeroupper = [0xc5, 0xf8, 0x77];

/** Offsets in the kernel's `ucontext_t` (x86-64: asm/sigcontext.h, asm/ucontext.h). */
const Ucontext = {rsp: 160, rip: 168, errorCode: 192, trapNumber: 200, cr2: 216} as const;

/** Bytes from one {@link landing} to the next. */
const landingSize = 32;

export interface Trampoline {
	readonly bytes: Uint8Array;
	/** A function of the addresses of the first record and of the end of the last. */
	readonly run: number;
	/** A signal handler (sigaction(2), SA_SIGINFO) that ends the case. */
	readonly onSignal: number;
	/** The end markers for each offset of the code window: jumps, which change no register and no flag. */
	readonly endMarkers: readonly (readonly number[])[];
}

/** Bytes of an end marker. */
export const endMarkerBytes = 5;

export function assembleTrampoline(): Trampoline {
	const program = assemble();
	const address = (label: string): number => program.labels.get(label) as number;
	return {
		bytes: program.bytes,
		run: address('run'),
		onSignal: address('onSignal'),
		endMarkers: Array.from({length: codeBytes}, (_, offset) => {
			const landing = address('landings') + landingSize * offset;
			return [0xe9, ...disp32(landing - (codeAddress + offset + endMarkerBytes))];
		}),
	};
}

function assemble(): AssembledProgram {
	const asm = createAssembler({origin: regions.trampoline.address, bits: 64});
	const {label, bytes, mov, push, pop, jmp, jae, je, cmp, add, and, xor, lea, align, prefix, movsq, pushf, popf, ret} =
		asm;
	const copy = (): void => {
		mov(ecx, windowBytes / 8);
		prefix('rep');
		movsq();
	};

	label('run');
	for (const register of calleeSaved) push(register);
	mov(qword(variable.rsp), rsp);
	mov(qword(variable.current), rdi);
	mov(qword(variable.end), rsi);
	bytes(...stmxcsr(variable.mxcsr), ...fnstcw(variable.fcw));
	xor(ecx, ecx);
	bytes(...xgetbv);
	and(eax, 7);
	mov(dword(variable.components), eax);
	mov(rsp, stackTop);

	label('next');
	mov(rbx, qword(variable.current));
	cmp(rbx, qword(variable.end));
	jae('done');
	mov(dword(rbx, stateField('after', 'vector')), noVector);
	lea(rsi, qword(rbx, stateField('before', 'memory')));
	mov(edi, windowAddress);
	copy();
	// The same code again stays where it is: code that changed costs the processor more than all the rest of a case.
	const parts = [0, 1, 2, 3];
	bytes(...pcmpeqb(7, 7));
	for (const part of parts) {
		bytes(...movupsFromRecord(part, offsetOf(CaseRecord, 'code') + 16 * part));
		bytes(...movupsFrom(6, codeAddress + 16 * part), ...pcmpeqb(6, part), ...pand(7, 6));
	}
	bytes(...pmovmskbToEax(7));
	cmp(eax, 0xffff);
	je('codeIsThere');
	for (const part of parts) bytes(...movupsTo(codeAddress + 16 * part, part));
	label('codeIsThere');
	mov(rax, qword(rbx, stateField('before', 'rip')));
	mov(qword(variable.rip), rax);
	mov(eax, dword(variable.components));
	xor(edx, edx);
	bytes(...xrstor64(stateField('before', 'xsave')));
	push(qword(rbx, stateField('before', 'rflags')));
	popf();
	registers.forEach((register, index) => {
		if (register !== rbx) mov(register, qword(rbx, registerField('before', index)));
	});
	mov(rbx, qword(rbx, registerField('before', registers.indexOf(rbx))));
	jmp(qword(variable.rip));

	// One for each byte of the code window, so that the case's end is known.
	align(landingSize);
	label('landings');
	for (let offset = 0; offset < codeBytes; offset++) {
		align(landingSize);
		mov(qword(variable.rip), codeAddress + offset);
		jmp('ended');
	}

	label('ended');
	mov(qword(variable.endRsp), rsp);
	mov(rsp, stackTop);
	label('endedBySignal');
	mov(qword(variable.scratch), rbx);
	mov(rbx, qword(variable.current));
	registers.forEach((register, index) => {
		if (register !== rbx && register !== rsp) mov(qword(rbx, registerField('after', index)), register);
	});
	pushf();
	pop(qword(rbx, stateField('after', 'rflags')));
	// Flags that a case may have set change what runs from here on: DF, AC and NT.
	push(fixedRflags);
	popf();
	mov(rax, qword(variable.scratch));
	mov(qword(rbx, registerField('after', registers.indexOf(rbx))), rax);
	mov(rax, qword(variable.endRsp));
	mov(qword(rbx, registerField('after', registers.indexOf(rsp))), rax);
	mov(rax, qword(variable.rip));
	mov(qword(rbx, stateField('after', 'rip')), rax);
	mov(eax, dword(variable.components));
	xor(edx, edx);
	bytes(...xsave64(stateField('after', 'xsave')));
	lea(rdi, qword(rbx, stateField('after', 'memory')));
	mov(rsi, windowAddress);
	copy();
	add(rbx, CaseRecord.size);
	mov(qword(variable.current), rbx);
	jmp('next');

	label('done');
	bytes(...fninit, ...fldcw(variable.fcw), ...ldmxcsr(variable.mxcsr), ...vzeroupper);
	mov(rsp, qword(variable.rsp));
	for (const register of calleeSaved.toReversed()) pop(register);
	ret();

	// The case goes on where it ends; the kernel restores its registers on the way there. All but RSP: no kernel can return to one that
	// is not canonical, where the processor's IRET checks that.
	label('onSignal');
	mov(rax, qword(variable.current));
	mov(rcx, qword(rdx, Ucontext.trapNumber));
	mov(dword(rax, stateField('after', 'vector')), ecx);
	mov(rcx, qword(rdx, Ucontext.errorCode));
	mov(dword(rax, stateField('after', 'errorCode')), ecx);
	mov(rcx, qword(rdx, Ucontext.cr2));
	mov(qword(rax, stateField('after', 'cr2')), rcx);
	mov(rcx, qword(rdx, Ucontext.rip));
	mov(qword(variable.rip), rcx);
	mov(rcx, qword(rdx, Ucontext.rsp));
	mov(qword(variable.endRsp), rcx);
	mov(ecx, stackTop);
	mov(qword(rdx, Ucontext.rsp), rcx);
	lea(rcx, qword('endedBySignal'));
	mov(qword(rdx, Ucontext.rip), rcx);
	ret();
	return asm.finish();
}
