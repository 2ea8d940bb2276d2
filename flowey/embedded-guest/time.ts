import {type Assembler, dword, dx, eax, ecx, edi, edx, qword, r8, r8d, r9d, rax, rcx, rdx} from '#flowey/x86-assembler';

const pmTimerHz = 3_579_545;
/** The ACPI timer may have 24 bits only. */
const pmTimerMask = 0xff_ffff;
/** The time stamp counter is measured against the ACPI timer for at least this long: 2 ms. */
const calibrationTicks = Math.round(pmTimerHz * 0.002);

/** Time: the ACPI power management timer for waiting and calibration, the time stamp counter for measuring. */
export function emitTime(asm: Assembler): void {
	emitWait(asm);
	emitCalibration(asm);
}

function emitWait(asm: Assembler): void {
	const {label, mov, sub, cmp, jb, jz, jnz, test, ret, mul, div, pause, dec, imul} = asm;
	label('pm-time'); // returns the ACPI timer in EAX
	mov(edx, dword('pm-timer'));
	asm.in(eax, dx);
	asm.and(eax, pmTimerMask);
	ret();

	label('wait-microseconds'); // EDI, up to 4 seconds
	cmp(dword('pm-timer'), 0);
	asm.je('wait-blind');
	mov(eax, edi);
	mov(ecx, pmTimerHz);
	mul(rcx);
	mov(ecx, 1_000_000);
	div(rcx);
	mov(r9d, eax);
	asm.call('pm-time');
	mov(r8d, eax);
	label('wait-tick');
	pause();
	asm.call('pm-time');
	sub(eax, r8d);
	asm.and(eax, pmTimerMask);
	cmp(eax, r9d);
	jb('wait-tick');
	ret();
	label('wait-blind'); // no timer: some pauses for each microsecond
	imul(edi, edi, 10);
	label('wait-blind-next');
	test(edi, edi);
	jz('wait-blind-done');
	pause();
	dec(edi);
	jnz('wait-blind-next');
	label('wait-blind-done');
	ret();
}

function emitCalibration(asm: Assembler): void {
	const {label, mov, sub, cmp, jb, je, ret, mul, div, call, shl, rdtsc, pause, imul} = asm;
	label('time-stamp'); // returns the counter in RAX
	rdtsc();
	shl(rdx, 32);
	asm.or(rax, rdx);
	ret();

	label('calibration-start');
	cmp(dword('pm-timer'), 0);
	je('calibration-impossible');
	call('pm-time');
	mov(dword('calibration-pm'), eax);
	call('time-stamp');
	mov(qword('calibration-tsc'), rax);
	label('calibration-impossible');
	ret();

	label('calibration-end'); // sets `tsc-khz`, which stays 0 without a timer
	cmp(dword('pm-timer'), 0);
	je('calibration-impossible');
	label('calibration-wait');
	pause();
	call('pm-time');
	sub(eax, dword('calibration-pm'));
	asm.and(eax, pmTimerMask);
	cmp(eax, calibrationTicks);
	jb('calibration-wait');
	imul(r8, rax, 1000);
	call('time-stamp');
	sub(rax, qword('calibration-tsc'));
	mov(ecx, pmTimerHz);
	mul(rcx);
	div(r8);
	mov(qword('tsc-khz'), rax);
	ret();

	label('microseconds'); // RAX time-stamp difference, becomes microseconds; needs `tsc-khz`
	mov(ecx, 1000);
	mul(rcx);
	div(qword('tsc-khz'));
	ret();
}

export function emitTimeData({label, align, qwords}: Assembler): void {
	align(8, 0);
	for (const variable of ['calibration-pm', 'calibration-tsc', 'tsc-khz', 'work-started']) {
		label(variable);
		qwords(0);
	}
}
