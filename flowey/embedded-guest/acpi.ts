import {
	type Assembler,
	al,
	byte,
	cl,
	dword,
	eax,
	ebx,
	ecx,
	edi,
	edx,
	esi,
	qword,
	r12,
	r12d,
	r13,
	r13d,
	rax,
	rbx,
	rdi,
	rdx,
	rsi,
	times,
} from '#flowey/x86-assembler';
import {apicIds, maxCpus} from './layout.ts';

/** Four ASCII characters as the 32-bit number that a comparison sees. */
const signature = (text: string): number => Buffer.from(text, 'latin1').readInt32LE();

/** Fixed ACPI description table, ACPI 6.5 section 5.2.9. */
const fadt = {
	length: 4,
	dsdt: 40,
	pm1aControl: 64,
	pmTimer: 76,
	flags: 112,
	resetRegister: 116,
	resetValue: 128,
} as const;
const fadtLong = {endsAt: 244, dsdt: 140, pm1aControl: 172, pmTimer: 208} as const;
const resetSupported = 1 << 10;
/** Generic address structure, section 5.2.3.2. */
const gas = {space: 0, address: 4, spaceIsIo: 1} as const;
/** Multiple APIC description table, section 5.2.12. */
const madt = {firstEntry: 44, localApic: 0, localX2Apic: 9} as const;

/** Reads the tables that say how many CPUs there are, how time is kept and how the machine is switched off. */
export function emitAcpi(asm: Assembler): void {
	emitFindTables(asm);
	emitReadFadt(asm);
	emitReadMadt(asm);
	emitReadSleepType(asm);
}

function emitFindTables(asm: Assembler): void {
	const {label, mov, add, sub, shr, cmp, je, jne, jb, jz, jnz, jmp, test, ret, call, push, pop, dec} = asm;
	label('acpi-init');
	mov(rsi, qword('rsdp'));
	test(rsi, rsi);
	jnz('rsdp-known');
	mov(esi, 0xe_0000);
	label('rsdp-scan');
	cmp(dword(rsi), signature('RSD '));
	jne('rsdp-next');
	cmp(dword(rsi, 4), signature('PTR '));
	je('rsdp-known');
	label('rsdp-next');
	add(esi, 16);
	cmp(esi, 0x10_0000);
	jb('rsdp-scan');
	ret();

	label('rsdp-known');
	push(rbx);
	push(r12);
	push(r13);
	mov(r12d, 4); // bytes per entry
	mov(ebx, dword(rsi, 16)); // RSDT
	cmp(byte(rsi, 15), 2);
	jb('root-known');
	cmp(qword(rsi, 24), 0);
	je('root-known');
	mov(rbx, qword(rsi, 24)); // XSDT
	mov(r12d, 8);
	label('root-known');
	mov(eax, dword(rbx, 4));
	sub(eax, 36);
	mov(ecx, 3);
	cmp(r12d, 8);
	je('root-wide');
	dec(ecx);
	label('root-wide');
	shr(eax, cl);
	mov(r13d, eax);
	add(rbx, 36);
	label('next-table');
	test(r13d, r13d);
	jz('tables-done');
	mov(esi, dword(rbx)); // all tables lie below 4 GiB
	add(rbx, r12);
	dec(r13d);
	cmp(dword(rsi), signature('FACP'));
	jne('not-fadt');
	call('read-fadt');
	jmp('next-table');
	label('not-fadt');
	cmp(dword(rsi), signature('APIC'));
	jne('next-table');
	call('read-madt');
	jmp('next-table');
	label('tables-done');
	pop(r13);
	pop(r12);
	pop(rbx);
	ret();
}

function emitReadFadt(asm: Assembler): void {
	const {label, mov, cmp, jb, jne, jz, ret, test} = asm;
	label('read-fadt'); // RSI table
	const keep = (variable: string, offset: number): void => {
		mov(eax, dword(rsi, offset));
		mov(dword(variable), eax);
	};
	keep('dsdt', fadt.dsdt);
	keep('pm1a-control', fadt.pm1aControl);
	keep('pm-timer', fadt.pmTimer);
	cmp(dword(rsi, fadt.length), fadt.resetValue);
	jb('fadt-done');
	test(dword(rsi, fadt.flags), resetSupported);
	jz('no-reset-register');
	mov(al, byte(rsi, fadt.resetRegister + gas.space));
	mov(byte('reset-space'), al);
	keep('reset-register', fadt.resetRegister + gas.address);
	mov(al, byte(rsi, fadt.resetValue));
	mov(byte('reset-value'), al);
	label('no-reset-register');
	cmp(dword(rsi, fadt.length), fadtLong.endsAt);
	jb('fadt-done');
	const prefer = (variable: string, offset: number): void => {
		const skip = asm.unique('fadt-skip');
		mov(eax, dword(rsi, offset));
		test(eax, eax);
		jz(skip);
		mov(dword(variable), eax);
		label(skip);
	};
	prefer('dsdt', fadtLong.dsdt);
	for (const [variable, offset] of [
		['pm1a-control', fadtLong.pm1aControl],
		['pm-timer', fadtLong.pmTimer],
	] as const) {
		const skip = asm.unique('fadt-skip');
		cmp(byte(rsi, offset + gas.space), gas.spaceIsIo);
		jne(skip);
		prefer(variable, offset + gas.address);
		label(skip);
	}
	label('fadt-done');
	ret();
}

function emitReadMadt(asm: Assembler): void {
	const {label, mov, movzx, add, cmp, jne, jae, jb, jz, jmp, test, ret, inc} = asm;
	label('read-madt'); // RSI table; appends to the list, whose first place is the boot CPU's
	mov(edi, esi);
	add(edi, dword(rsi, 4));
	add(esi, madt.firstEntry);
	label('madt-entry');
	asm.lea(ecx, qword(rsi, 8));
	cmp(ecx, edi);
	asm.ja('madt-done');
	movzx(ecx, byte(rsi, 1));
	cmp(ecx, 2);
	jb('madt-done'); // a broken table
	cmp(byte(rsi), madt.localApic);
	jne('madt-not-apic');
	movzx(eax, byte(rsi, 3));
	mov(edx, dword(rsi, 4));
	jmp('madt-cpu');
	label('madt-not-apic');
	cmp(byte(rsi), madt.localX2Apic);
	jne('madt-next');
	mov(eax, dword(rsi, 4));
	mov(edx, dword(rsi, 8));
	label('madt-cpu');
	test(edx, 1); // enabled
	jz('madt-next');
	mov(edx, dword('cpu-count'));
	cmp(edx, maxCpus + 1); // the boot CPU is in it twice until `settle-boot-cpu`
	jae('madt-done');
	mov(dword(times(rdx, 4), apicIds), eax);
	inc(dword('cpu-count'));
	cmp(eax, dword('highest-apic-id'));
	asm.jbe('madt-next');
	mov(dword('highest-apic-id'), eax);
	label('madt-next');
	add(esi, ecx);
	jmp('madt-entry');
	label('madt-done');
	ret();
}

/** Looks in the DSDT for `Name (_S5_, Package {type, ...})`, as small kernels do that have no AML interpreter. */
function emitReadSleepType(asm: Assembler): void {
	const {label, mov, movzx, cmp, jne, jz, test, ret, shr, prefix, scasb} = asm;
	label('read-sleep-type'); // returns the type in EAX, 0 where there is none
	mov(edi, dword('dsdt'));
	test(edi, edi);
	jz('sleep-type-unknown');
	mov(ecx, dword(rdi, 4));
	mov(al, 0x5f); // '_'
	label('sleep-type-scan');
	prefix('repne');
	scasb();
	jne('sleep-type-unknown');
	cmp(dword(rdi, -1), signature('_S5_'));
	jne('sleep-type-scan');
	cmp(byte(rdi, 3), 0x12); // package
	jne('sleep-type-unknown');
	movzx(eax, byte(rdi, 4)); // the top bits of the length say how many bytes it has besides
	shr(eax, 6);
	movzx(ecx, byte(rdi, times(rax, 1), 6)); // first element: past the length and the element count
	cmp(ecx, 0x0a); // a byte follows; otherwise the opcode is the number, 0 or 1
	jne('sleep-type-known');
	movzx(ecx, byte(rdi, times(rax, 1), 7));
	label('sleep-type-known');
	mov(eax, ecx);
	asm.and(eax, 7);
	ret();
	label('sleep-type-unknown');
	asm.xor(eax, eax);
	ret();
}

/** Emits the variables for what the tables said. */
export function emitAcpiData({label, align, dwords, qwords}: Assembler): void {
	align(8, 0);
	label('rsdp');
	qwords(0);
	const variables = 'dsdt pm1a-control pm-timer reset-register reset-space reset-value highest-apic-id cpu-count';
	for (const variable of variables.split(' ')) {
		label(variable);
		dwords(0);
	}
}
