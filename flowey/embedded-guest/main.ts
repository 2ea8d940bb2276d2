import {
	type Assembler,
	al,
	dword,
	eax,
	ebx,
	ecx,
	qword,
	r8,
	r9,
	r9d,
	r15,
	r15d,
	rax,
	rbx,
	rsi,
	times,
} from '#flowey/x86-assembler';
import {startInfo} from './boot.ts';
import {cpuPage, cpuPages, port} from './layout.ts';
import {notGiven} from './options.ts';
import type {Texts} from './text.ts';
import {arrayChunks, defaultChunks} from './work.ts';

/** Words that replace the work unless `work=N` asks for both. */
const modesInsteadOfWork = ['flood', 'ports', 'mmio', 'jump', 'reset', 'echo'];

/** The boot CPU's course through the guest. */
export function emitMain(asm: Assembler, texts: Texts): void {
	const {label, mov, call, cmp, je, jne, jmp, out, test, jz} = asm;
	label('boot-cpu'); // EBX start information
	mov(al, 0xff);
	out(port.pic1Mask, al); // no interrupt is wanted from anywhere
	out(port.pic2Mask, al);
	mov(rax, qword(rbx, startInfo.rsdp));
	mov(qword('rsdp'), rax);
	mov(rsi, qword(rbx, startInfo.commandLine));
	call('read-options');
	call('console-init');
	texts.sayLine('');
	texts.sayLine('OpenVMM embedded guest: a small SMP kernel whose CPUs share one job in user mode');
	call('report-memory');
	call('apic-mode-init');
	mov(dword('cpu-count'), 1);
	mov(dword('cpus-up'), 1);
	call('acpi-init');
	emitOptionalModes(asm);
	call('choose-work');
	test(eax, eax);
	jz('no-work');
	call('run-work');
	label('no-work');
	cmp(dword('option-echo'), 0);
	je('no-echo');
	call('echo');
	label('no-echo');
	cmp(dword('option-jump'), 0);
	jne('jump-into-nothing');
	cmp(dword('option-reset'), 0);
	jne('reset');
	cmp(dword('option-exit'), notGiven);
	jne('exit-by-port');
	texts.sayLine('Powering off');
	jmp('power-off');
	emitChooseWork(asm);
	emitRunWork(asm, texts);
	emitExpectedSum(asm);
}

function emitOptionalModes({call, cmp, je, label, unique}: Assembler): void {
	for (const mode of ['flood', 'ports', 'mmio']) {
		const skip = unique('skip-mode');
		cmp(dword(`option-${mode}`), 0);
		je(skip);
		call(mode);
		label(skip);
	}
}

/** EAX becomes whether there is work; sets `chunk-limit`. */
function emitChooseWork(asm: Assembler): void {
	const {label, mov, cmp, je, jne, xor, ret} = asm;
	label('choose-work');
	mov(eax, dword('option-work'));
	cmp(eax, notGiven);
	jne('work-chosen');
	mov(eax, defaultChunks);
	xor(ecx, ecx);
	for (const mode of modesInsteadOfWork) asm.or(ecx, dword(`option-${mode}`));
	cmp(ecx, 0);
	jne('work-replaced');
	cmp(dword('option-exit'), notGiven);
	je('work-chosen');
	label('work-replaced');
	xor(eax, eax);
	label('work-chosen');
	mov(qword('chunk-limit'), rax);
	cmp(dword('option-loop'), 0);
	je('work-bounded');
	mov(qword('chunk-limit'), -1);
	mov(eax, 1);
	label('work-bounded');
	asm.or(eax, dword('option-hang'));
	ret();
}

/** Starts the CPUs, lets all of them work, waits for every chunk and reports. */
function emitRunWork(asm: Assembler, texts: Texts): void {
	const {label, mov, call, cmp, jne, jb, ret, xor, pause} = asm;
	label('run-work');
	mov(r15d, cpuPages);
	mov(dword(r15, cpuPage.isUp), 1);
	xor(ecx, ecx);
	call('prepare-user-mode');
	call('calibration-start');
	call('apic-mode-extend');
	call('settle-boot-cpu');
	call('start-cpus');
	call('calibration-end');
	call('report-cpus-up');
	cmp(dword('option-hang'), 0);
	jne('hang-announced');
	cmp(dword('option-loop'), 0);
	asm.je('work-begins');
	texts.sayLine('Working until stopped');
	label('work-begins');
	call('time-stamp');
	mov(qword('work-started'), rax);
	mov(dword('work-go'), 1);
	call('work-on-cpu');
	label('work-unfinished'); // chunks in progress on other CPUs
	pause();
	mov(rax, qword('finished-chunks'));
	cmp(rax, qword('chunk-limit'));
	jb('work-unfinished');
	call('time-stamp');
	asm.sub(rax, qword('work-started'));
	mov(qword('work-started'), rax);
	call('report-cpus');
	call('report-sum');
	ret();
	label('hang-announced');
	texts.sayLine('Hanging until stopped');
	asm.jmp('hang');
}

function emitExpectedSum(asm: Assembler): void {
	const {label, mov, cmp, jb, ret, xor} = asm;
	label('expected-sum'); // RAX the sum that `chunk-limit` chunks must give
	asm.push(rbx);
	mov(rax, qword('chunk-limit'));
	mov(ecx, eax);
	asm.and(ecx, arrayChunks - 1); // the parts that were done once more than the others
	asm.shr(rax, Math.log2(arrayChunks));
	mov(r8, rax);
	xor(ebx, ebx);
	xor(r9d, r9d);
	label('expected-part');
	mov(rax, r8);
	cmp(ebx, ecx);
	asm.jae('expected-fewer');
	asm.inc(rax);
	label('expected-fewer');
	asm.imul(rax, qword(times(rbx, 8), 'chunk-sums'));
	asm.add(r9, rax);
	asm.inc(ebx);
	cmp(ebx, arrayChunks);
	jb('expected-part');
	mov(rax, r9);
	asm.pop(rbx);
	ret();
}
