import {type Assembler, al, dword, eax, ebx, ecx, edx, rax, rcx, rdx} from '#flowey/x86-assembler';
import {exitCode} from './layout.ts';
import {type MicroKernel, microKernel} from './micro-kernel.ts';

/** The local APIC's registers in xAPIC mode, by their offset; in x2APIC mode the MSR is 0x800 plus a sixteenth. */
export const apicRegister = {
	endOfInterrupt: 0xb0,
	spurious: 0xf0,
	command: 0x300,
	commandHigh: 0x310,
	timer: 0x320,
	initialCount: 0x380,
	divide: 0x3e0,
};
const apicAddress = 0xfee0_0000;
const apicBaseMsr = 0x1b;
const x2ApicEnabled = 0x400;
const softwareEnabled = 0x1ff;
const divideByOne = 0x0b;
const vector = 0x40;
/** The mask registers of the two 8259 interrupt controllers. */
const [pic1Mask, pic2Mask] = [0x21, 0xa1];
/** Interrupt command: fixed delivery to this CPU itself. */
const toSelf = 0x4_4000;

/** Sends itself an interrupt `count` times, and waits for each. */
export function selfIpi({count}: {readonly count: number}): MicroKernel {
	return interruptKernel('self-ipi', count, (asm) => writeApic(asm, apicRegister.command, toSelf | vector));
}

/** Lets the local APIC's timer run down `count` times from `ticks`, and waits for each. */
export function apicTimer({count, ticks}: {readonly count: number; readonly ticks: number}): MicroKernel {
	return interruptKernel('apic-timer', count, (asm) => {
		writeApic(asm, apicRegister.divide, divideByOne);
		writeApic(asm, apicRegister.timer, vector); // one shot
		writeApic(asm, apicRegister.initialCount, ticks);
	});
}

/** Raises an interrupt, halts until its handler has run, `count` times; EBX counts the handler's runs. */
function interruptKernel(name: string, count: number, raise: (asm: Assembler) => void): MicroKernel {
	return microKernel(name, (asm, {exit, handle}) => {
		const {label, mov, cmp, je, jb, push, pop, inc, xor, sti, cli, hlt, iretq, jmp} = asm;
		handle(vector, 'interrupt');
		xor(ebx, ebx);
		mov(al, 0xff); // a firmware may have left the timer interrupt on
		asm.out(pic1Mask, al);
		asm.out(pic2Mask, al);
		writeApic(asm, apicRegister.spurious, softwareEnabled);
		label('again');
		mov(dword('has-come'), 0);
		raise(asm);
		label('wait');
		cli();
		cmp(dword('has-come'), 1);
		je('come');
		sti(); // takes effect after the halt has begun, so that no interrupt is missed
		hlt();
		jmp('wait');
		label('come');
		cmp(ebx, count);
		jb('again');
		exit(exitCode.ok);

		label('interrupt');
		push(rax);
		push(rcx);
		push(rdx);
		mov(dword('has-come'), 1);
		inc(ebx);
		writeApic(asm, apicRegister.endOfInterrupt, 0);
		pop(rdx);
		pop(rcx);
		pop(rax);
		iretq();
		asm.align(4, 0);
		label('has-come');
		asm.dwords(0);
	});
}

/** Sends an interrupt command to the local APIC with this id, in whichever mode both are; changes EAX, ECX and EDX. */
export function sendCommand(asm: Assembler, command: number, apicId: number): void {
	inEitherMode(
		asm,
		() => {
			asm.mov(ecx, apicAddress);
			asm.mov(dword(rcx, apicRegister.commandHigh), apicId << 24);
			asm.mov(dword(rcx, apicRegister.command), command);
		},
		() => writeMsr(asm, 0x800 + apicRegister.command / 16, command, apicId),
	);
}

/** Writes a register of the local APIC in whichever mode it is; changes EAX, ECX and EDX. */
export function writeApic(asm: Assembler, offset: number, value: number): void {
	inEitherMode(
		asm,
		() => {
			asm.mov(ecx, apicAddress + offset);
			asm.mov(dword(rcx), value);
		},
		() => writeMsr(asm, 0x800 + offset / 16, value, 0),
	);
}

function writeMsr({mov, wrmsr}: Assembler, msr: number, low: number, high: number): void {
	mov(ecx, msr);
	mov(eax, low);
	mov(edx, high);
	wrmsr();
}

function inEitherMode(asm: Assembler, xApic: () => void, x2Apic: () => void): void {
	const {mov, rdmsr, test, jnz, jmp, label, unique} = asm;
	const [wide, done] = [unique('apic-wide'), unique('apic-done')];
	mov(ecx, apicBaseMsr);
	rdmsr();
	test(eax, x2ApicEnabled);
	jnz(wide);
	xApic();
	jmp(done);
	label(wide);
	x2Apic();
	label(done);
}
