import {al, dx, eax, ecx, edx, qword, rax, rdx} from '#flowey/x86-assembler';
import {type MicroKernel, microKernel} from './micro-kernel.ts';

/** MSR_KVM_SYSTEM_TIME_NEW (Linux: Documentation/virt/kvm/x86/msr.rst); bit 0 turns kvmclock on. */
const systemTimeMsr = 0x4b56_4d01;
/** MSR_KVM_STEAL_TIME: the same for the time that this processor was ready and did not run. */
const stealTimeMsr = 0x4b56_4d03;
const pitHz = 1_193_182;
/** Interrupt of the PIT, with the first 8259 at this vector. */
const vector = 0x40;

/** Layout of a round of {@link clockReader}, from the label `clocks` on: 64 bits each. */
export const clockRound = {bytes: 32, counterBefore: 0, acpiTimer: 8, counterAfter: 16} as const;

/**
 * Reads clocks for ever: the ACPI timer between two reads of the time-stamp counter, as {@link clockRound} lays it out. Rounds
 * are stored in two places by turns, so that the last that `rounds` counts is whole. `ticks` counts PIT interrupts. `kvmclock`
 * and `steal-time` are what KVM keeps for this processor.
 * @param tickHz - rate of the PIT; undefined: it does not interrupt
 */
export function clockReader({
	pmTimer,
	tickHz,
}: {
	readonly pmTimer: number;
	readonly tickHz: number | undefined;
}): MicroKernel {
	return microKernel('clock-reader', (asm, {handle}) => {
		const {label, mov, out, shl, or, jmp, rdtsc, wrmsr, sti, cli, inc, push, pop, iretq, xor} = asm;
		handle(vector, 'tick');
		const write = (port: number, ...values: readonly number[]) => {
			for (const value of values) {
				mov(al, value);
				out(port, al);
			}
		};
		// Initialization words of the two 8259s, then only input 0 is open.
		write(0x20, 0x11);
		write(0x21, vector, 0x04, 0x01, 0xfe);
		write(0xa0, 0x11);
		write(0xa1, vector + 8, 0x02, 0x01, 0xff);
		if (tickHz !== undefined) {
			const divisor = Math.round(pitHz / tickHz);
			write(0x43, 0x34); // counter 0, both bytes, rate generator
			write(0x40, divisor & 0xff, divisor >> 8);
		}
		mov(ecx, systemTimeMsr);
		asm.lea(rax, qword('kvmclock'));
		or(eax, 1);
		xor(edx, edx);
		wrmsr();
		mov(ecx, stealTimeMsr);
		asm.lea(rax, qword('steal-time'));
		or(eax, 1);
		wrmsr();
		label('again');
		for (const place of ['clocks', 'clocks-by-turns']) {
			const counter = (field: number) => {
				rdtsc();
				shl(rdx, 32);
				or(rax, rdx);
				mov(qword(place, field), rax);
			};
			cli();
			counter(clockRound.counterBefore);
			mov(dx, pmTimer);
			xor(eax, eax);
			asm.in(eax, dx);
			mov(qword(place, clockRound.acpiTimer), rax);
			counter(clockRound.counterAfter);
			inc(qword('rounds'));
			sti();
		}
		jmp('again');
		label('tick');
		push(rax);
		inc(qword('ticks'));
		write(0x20, 0x20);
		pop(rax);
		iretq();
		asm.align(64, 0);
		label('steal-time');
		asm.zeros(64);
		label('kvmclock');
		asm.qwords(0, 0, 0, 0);
		label('clocks');
		asm.zeros(clockRound.bytes);
		label('clocks-by-turns');
		asm.zeros(clockRound.bytes);
		label('ticks');
		asm.qwords(0);
		label('rounds');
		asm.qwords(0);
	});
}
