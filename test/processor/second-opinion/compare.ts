import type {LegacyCase} from './generate.ts';
import {CaseInput, CaseResult, zone} from './layout.ts';
import {isQemuWrong} from './qemu-errors.ts';

/** RF: QEMU does not set it for faults, as the manual wants it (SDM volume 3, 17.3.1.1). */
const resumeFlag = 0x1_0000;
const virtualFlag = 0x2_0000;
const breakpoint = 3;
const pageFault = 14;
const registerNames = ['edi', 'esi', 'ebp', 'esp', 'ebx', 'edx', 'ecx', 'eax'] as const;
const segmentNames = ['gs', 'fs', 'es', 'ds'] as const;
const virtualNames = ['virtual es', 'virtual ds', 'virtual fs', 'virtual gs'] as const;
const hex = (value: number): string => (value >>> 0).toString(16);

/** True where QEMU is not what the manual says. */
export const isLeftOut = (one: LegacyCase, software: Uint8Array, other: Uint8Array): boolean => {
	const [ours, theirs] = [software, other].map((bytes) => CaseResult.on(bytes.buffer).vector & 0xff) as [
		number,
		number,
	];
	return isQemuWrong(one, {ours, theirs});
};

/** Says in what two results of a case differ that the manual defines. */
export function differences(one: LegacyCase, software: Uint8Array, other: Uint8Array): readonly string[] {
	const [a, b] = [CaseResult.on(software.buffer), CaseResult.on(other.buffer)];
	const found: string[] = [];
	const compare = (name: string, ours: number, theirs: number) => {
		if (ours !== theirs) found.push(`${name} ${hex(ours)}, not ${hex(theirs)}`);
	};
	const isReal = one.mode === 'real';
	compare('vector', a.vector & 0xff, b.vector & 0xff);
	if (found.length > 0)
		return [
			...found,
			`error codes ${hex(a.errorCode)} and ${hex(b.errorCode)}, at ${hex(a.cs)}:${hex(a.eip)} and ${hex(b.cs)}:${hex(b.eip)}`,
		];
	const isFault = (a.vector & 0xff) !== breakpoint;
	if (isReal) {
		// IP, CS and FLAGS lie behind a vector of 16 bits.
		const [left, right] = [software, other].map((bytes) => new DataView(bytes.buffer, bytes.byteOffset)) as [
			DataView,
			DataView,
		];
		const at = CaseResult.offset('vector');
		compare('ip', left.getUint16(at + 2, true), right.getUint16(at + 2, true));
		compare('cs', left.getUint16(at + 4, true), right.getUint16(at + 4, true));
		compareFlags(one, isFault, left.getUint16(at + 6, true), right.getUint16(at + 6, true), found);
	} else {
		compare(
			'error code',
			a.errorCode,
			a.vector === pageFault ? readsLikeWrites(a.errorCode, b.errorCode) : b.errorCode,
		);
		compare('eip', a.eip, b.eip);
		compare('cs', a.cs & 0xffff, b.cs & 0xffff);
		compareFlags(one, isFault, a.eflags, b.eflags, found);
		const isVirtual = (a.eflags & virtualFlag) !== 0;
		if (isVirtual)
			for (const [index, name] of virtualNames.entries())
				compare(name, (a.virtualSegments[index] as number) & 0xffff, (b.virtualSegments[index] as number) & 0xffff);
		if (isVirtual || (a.cs & 3) === 3) {
			compare('outer esp', a.esp, b.esp);
			compare('outer ss', a.ss & 0xffff, b.ss & 0xffff);
		}
		if (a.vector === pageFault) compare('cr2', a.cr2, b.cr2);
	}
	compare('handler ss', a.handlerSs & 0xffff, b.handlerSs & 0xffff);
	for (const [index, name] of segmentNames.entries())
		compare(name, (a.segments[index] as number) & 0xffff, (b.segments[index] as number) & 0xffff);
	for (const [index, name] of registerNames.entries())
		if (one.undefinedRegister !== numbers[index]) compare(name, a.general[index] as number, b.general[index] as number);
	if (one.isMemoryUndefined) return found;
	const stackFrom = bytesBelowStack(one, software);
	for (let index = 0; index < zone.bytes; index++) {
		compare(`data ${hex(zone.offset + index)}`, a.data[index] as number, b.data[index] as number);
		if (index >= stackFrom)
			compare(`stack ${hex(zone.offset + index)}`, a.stack[index] as number, b.stack[index] as number);
	}
	return found;
}

/** QEMU calls the fault of an instruction that reads and writes one of a read, the manual of a write (SDM volume 3, 4.7). */
const readsLikeWrites = (ours: number, theirs: number): number => ((ours & ~2) === theirs ? ours : theirs);

const numbers = [7, 6, 5, 4, 3, 2, 1, 0] as const;

function compareFlags(one: LegacyCase, isFault: boolean, ours: number, theirs: number, found: string[]): void {
	const mask = ~(resumeFlag | (isFault ? one.undefinedFaultFlags : one.undefinedFlags));
	if (((ours ^ theirs) & mask) !== 0) found.push(`flags ${hex(ours & mask)}, not ${hex(theirs & mask)}`);
}

/** Handlers that have no stack of their own leave their frame below the case's stack pointer: such bytes are not compared. */
function bytesBelowStack(one: LegacyCase, software: Uint8Array): number {
	if (one.mode.startsWith('outer') || one.mode === 'virtual') return 0;
	const {general} = CaseResult.on(software.buffer);
	const frame = one.mode === 'real' ? 8 : 20;
	return Math.max(0, ((general[3] as number) & 0xffff) + frame - zone.offset);
}

/** A case for people: its code and what differs. */
export function describe(one: LegacyCase, found: readonly string[]): string {
	const {general} = CaseInput.on(one.input.buffer);
	const registers = registerNames.map((name, index) => `${name} ${hex(general[index] as number)}`).join(' ');
	const code = one.code.map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
	return `${one.mode} ${one.form.form.name}: ${code}; ${registers}; ${found.slice(0, 4).join('; ')}`;
}
