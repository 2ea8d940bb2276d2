import {
	type Assembler,
	distance,
	dword,
	eax,
	ebp,
	ebx,
	ecx,
	edi,
	edx,
	esi,
	qword,
	r12,
	r12d,
	r15,
	rax,
	rbp,
	rbx,
	rcx,
	rdi,
	rdx,
	rsi,
	rsp,
	times,
} from '#flowey/x86-assembler';
import {apicIds, cpuPage, cpuPageSize, cpuPages, trampolineAddress} from './layout.ts';

const apicBaseMsr = 0x1b;
const [apicEnabled, x2ApicEnabled] = [0x800, 0x400];
const xApic = {id: 0xfee0_0020, commandLow: 0xfee0_0300, commandHigh: 0xfee0_0310} as const;
const x2Apic = {idMsr: 0x802, commandMsr: 0x830} as const;
/** Interrupt commands; SDM volume 3, section 11.6.1: INIT asserted, and start-up with the page number as vector. */
const initCommand = 0x4500;
const startUpCommand = 0x4600 | (trampolineAddress >> 12);
const deliveryPending = 0x1000;
/** xAPIC addresses end here: 255 is the broadcast. */
const highestXApicId = 254;

/** Bringing up the other CPUs: INIT, start-up, start-up, through whichever local APIC mode the ids need. */
export function emitCpus(asm: Assembler): void {
	emitApicMode(asm);
	emitSettleBootCpu(asm);
	emitSend(asm);
	emitStartAll(asm);
	emitOtherCpu(asm);
}

function emitApicMode(asm: Assembler): void {
	const {label, mov, cmp, jne, jbe, test, jz, jnz, ret, rdmsr, wrmsr, cpuid, push, pop, shr} = asm;
	label('apic-mode-init'); // keeps the mode the firmware chose, if it is x2APIC
	mov(ecx, apicBaseMsr);
	rdmsr();
	test(eax, x2ApicEnabled);
	jz('apic-mode-known');
	mov(dword('x2apic'), 1);
	label('apic-mode-known');
	ret();

	label('apic-mode-extend'); // switches to x2APIC when an id does not fit the older mode, or by the word `x2apic`
	cmp(dword('option-x2apic'), 0);
	jne('apic-mode-wanted');
	cmp(dword('highest-apic-id'), highestXApicId);
	jbe('apic-mode-enough');
	label('apic-mode-wanted');
	push(rbx);
	mov(eax, 1);
	cpuid();
	pop(rbx);
	asm.bt(ecx, 21);
	asm.jae('apic-mode-enough');
	mov(dword('x2apic'), 1);
	mov(ecx, apicBaseMsr);
	rdmsr();
	test(eax, x2ApicEnabled);
	jnz('apic-mode-enough');
	asm.or(eax, apicEnabled | x2ApicEnabled);
	wrmsr();
	label('apic-mode-enough');
	ret();

	label('apic-id'); // returns this CPU's id in EAX
	cmp(dword('x2apic'), 0);
	jne('apic-id-wide');
	mov(ecx, xApic.id);
	mov(eax, dword(rcx));
	shr(eax, 24);
	ret();
	label('apic-id-wide');
	mov(ecx, x2Apic.idMsr);
	rdmsr();
	ret();
}

/** Puts the boot CPU first in the list and takes its second entry out, once the APIC mode and so its id are final. */
function emitSettleBootCpu(asm: Assembler): void {
	const {label, mov, sub, call, prefix, scasd, jne, movsd, dec, ret} = asm;
	label('settle-boot-cpu');
	call('apic-id');
	mov(dword(apicIds), eax);
	mov(edi, apicIds + 4);
	mov(ecx, dword('cpu-count'));
	sub(ecx, 1);
	asm.je('boot-cpu-settled');
	prefix('repne');
	scasd();
	jne('boot-cpu-settled'); // not in the tables
	dec(dword('cpu-count'));
	mov(rsi, rdi);
	sub(edi, 4);
	prefix('rep');
	movsd();
	label('boot-cpu-settled');
	ret();
}

function emitSend(asm: Assembler): void {
	const {label, mov, cmp, jne, test, jz, dec, jnz, shl, ret, wrmsr, pause} = asm;
	label('send-command'); // EAX command, EDI target
	cmp(dword('x2apic'), 0);
	jne('send-wide');
	mov(esi, xApic.commandHigh);
	shl(edi, 24);
	mov(dword(rsi), edi);
	mov(esi, xApic.commandLow);
	mov(dword(rsi), eax);
	mov(ecx, 1000);
	label('send-wait');
	test(dword(rsi), deliveryPending);
	jz('send-done');
	pause();
	dec(ecx);
	jnz('send-wait');
	label('send-done');
	ret();
	label('send-wide');
	mov(edx, edi);
	mov(ecx, x2Apic.commandMsr);
	wrmsr();
	ret();
}

/** One command for every CPU but this one; `skipsRunning` leaves out those that came up. */
function sendToAll(asm: Assembler, command: number, skipsRunning: boolean): void {
	const {label, unique, mov, cmp, jae, jne, jmp, call, inc, shl} = asm;
	const [next, skip, done] = [unique('send-next'), unique('send-skip'), unique('send-all-done')];
	mov(ebx, 1);
	label(next);
	cmp(ebx, dword('cpu-count'));
	jae(done);
	if (skipsRunning) {
		mov(eax, ebx);
		shl(eax, Math.log2(cpuPageSize));
		cmp(dword(rax, cpuPages + cpuPage.isUp), 0);
		jne(skip);
	}
	mov(edi, dword(times(rbx, 4), apicIds));
	mov(eax, command);
	call('send-command');
	label(skip);
	inc(ebx);
	jmp(next);
	label(done);
}

function emitStartAll(asm: Assembler): void {
	const {label, mov, call, push, pop, ret, prefix, movsb} = asm;
	label('start-cpus');
	push(rbx);
	mov(esi, 'trampoline');
	mov(edi, trampolineAddress);
	mov(ecx, distance('trampoline', 'trampoline-end'));
	prefix('rep');
	movsb();
	sendToAll(asm, initCommand, false);
	mov(edi, 200); // processors since the P6 need no more
	call('wait-microseconds');
	sendToAll(asm, startUpCommand, false);
	mov(edi, 20_000);
	call('wait-for-cpus');
	sendToAll(asm, startUpCommand, true);
	mov(edi, 1_000_000);
	call('wait-for-cpus');
	pop(rbx);
	ret();
	emitWaitForCpus(asm);
}

/** Waits until all CPUs are up, or until for EDI microseconds no further one came up. */
function emitWaitForCpus(asm: Assembler): void {
	const {label, mov, cmp, jae, jne, jmp, ja, push, pop, ret, call} = asm;
	label('wait-for-cpus');
	push(rbx);
	push(rbp);
	push(r12);
	mov(ebp, edi);
	label('wait-restart');
	mov(ebx, dword('cpus-up'));
	asm.xor(r12d, r12d);
	label('wait-cpu');
	mov(eax, dword('cpus-up'));
	cmp(eax, dword('cpu-count'));
	jae('wait-cpu-done');
	cmp(eax, ebx);
	jne('wait-restart');
	cmp(r12d, ebp);
	ja('wait-cpu-done');
	mov(edi, 50);
	asm.add(r12d, edi);
	call('wait-microseconds');
	jmp('wait-cpu');
	label('wait-cpu-done');
	pop(r12);
	pop(rbp);
	pop(rbx);
	ret();
}

/** A CPU other than the first: finds its place, works in user mode, leaves its results and stops. */
function emitOtherCpu(asm: Assembler): void {
	const {label, mov, call, cmp, jne, shl, add, prefix, scasd, cli, hlt, jmp, sub, lea} = asm;
	label('other-cpu');
	emitIdentify(asm);
	// The id's position in the list is the CPU's number.
	mov(edi, apicIds);
	mov(ecx, dword('cpu-count'));
	prefix('repne');
	scasd();
	jne('stop-cpu');
	sub(edi, apicIds + 4);
	asm.shr(edi, 2);
	mov(ecx, edi);
	shl(edi, Math.log2(cpuPageSize));
	lea(r15, qword(rdi, cpuPages));
	lea(rsp, qword(r15, cpuPage.kernelStackTop));
	call('prepare-user-mode');
	mov(dword(r15, cpuPage.isUp), 1);
	prefix('lock');
	asm.inc(dword('cpus-up'));
	cmp(dword('option-hang'), 0);
	jne('hang');
	call('work-on-cpu');
	label('stop-cpu');
	cli();
	hlt();
	jmp('stop-cpu');

	label('work-on-cpu'); // R15 page
	call('run-user-mode');
	mov(qword(r15, cpuPage.chunks), rax);
	prefix('lock');
	add(qword('total-sum'), rdx);
	prefix('lock');
	add(qword('finished-chunks'), rax);
	asm.ret();
}

/** This CPU's APIC id in EAX, in the APIC mode of the boot CPU; uses no stack, for there is none yet. */
function emitIdentify(asm: Assembler): void {
	const {label, mov, cmp, je, test, jnz, rdmsr, wrmsr, shr, jmp} = asm;
	cmp(dword('x2apic'), 0);
	je('other-cpu-xapic');
	mov(ecx, apicBaseMsr);
	rdmsr();
	test(eax, x2ApicEnabled);
	jnz('other-cpu-x2apic');
	asm.or(eax, apicEnabled | x2ApicEnabled);
	wrmsr();
	label('other-cpu-x2apic');
	mov(ecx, x2Apic.idMsr);
	rdmsr();
	jmp('other-cpu-identified');
	label('other-cpu-xapic');
	mov(ecx, xApic.id);
	mov(eax, dword(rcx));
	shr(eax, 24);
	label('other-cpu-identified');
}

/** Counters and modes of the CPUs. */
export function emitCpusData({label, align, qwords}: Assembler): void {
	align(64, 0);
	for (const variable of ['x2apic', 'cpus-up', 'total-sum', 'finished-chunks']) {
		label(variable);
		qwords(0);
	}
}
