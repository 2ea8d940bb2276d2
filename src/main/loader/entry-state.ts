import type {BootRegisters, GeneralRegisters, Segment} from '#devices/processor';
import {bootLayout} from './boot-layout.ts';
import {flatSegments} from './gdt.ts';

/** Control register bits the boot protocols name (Intel SDM vol. 3, 2.5; vol. 4 for EFER). ET reads as one anyway. */
const cr0 = {PE: 1n, ET: 1n << 4n, PG: 1n << 31n} as const;
const cr4 = {PAE: 1n << 5n} as const;
const efer = {SCE: 1n, LME: 1n << 8n, LMA: 1n << 10n, NXE: 1n << 11n} as const;

/** Bit 1 always reads as one; interrupts, traps and virtual-8086 mode are off. */
const rflags = 2n;
const noSegment = {base: 0n, selector: 0, present: true, dpl: 0, db: false, s: false, l: false, g: false} as const;
/** A busy TSS: VM entry to protected or long mode demands one. */
const taskState: Segment = {...noSegment, type: 0xb, limit: 0x67};
const localTable: Segment = {...noSegment, type: 0x2, limit: 0xffff};
const gdt = {base: BigInt(bootLayout.gdt), limit: 4 * 8 - 1} as const;

const system = (code: Segment) => {
	const data = flatSegments.data;
	return {cs: code, ds: data, es: data, fs: data, gs: data, ss: data, tr: taskState, ldt: localTable, gdt} as const;
};

/** 64-bit mode over the identity map at {@link bootLayout.pageTables}, as OpenVMM enters Linux. */
export function longModeEntry(general: Partial<GeneralRegisters>): BootRegisters {
	return {
		general: {rflags, ...general},
		special: {
			...system(flatSegments.code64),
			cr0: cr0.PG | cr0.ET | cr0.PE,
			cr3: BigInt(bootLayout.pageTables),
			cr4: cr4.PAE,
			efer: efer.SCE | efer.LME | efer.LMA | efer.NXE,
		},
	};
}

/** 32-bit protected mode, flat segments, no paging: what PVH and multiboot ask for. */
export function protectedModeEntry(general: Partial<GeneralRegisters>): BootRegisters {
	return {
		general: {rflags, ...general},
		special: {...system(flatSegments.code32), cr0: cr0.ET | cr0.PE, cr3: 0n, cr4: 0n, efer: 0n},
	};
}

/** Real mode at an address below 1 MiB: CS takes its top four bits and IP the rest, so 0x7c00 is 0000:7C00. */
export function realModeEntry(address: number): BootRegisters {
	const segment = (selector: number, type: number): Segment => ({
		...noSegment,
		s: true,
		base: BigInt(selector * 16),
		limit: 0xffff,
		selector,
		type,
	});
	const data = segment(0, 0x3);
	return {
		general: {rflags, rip: BigInt(address & 0xffff)},
		special: {
			cs: segment((address >>> 16) << 12, 0xb),
			...{ds: data, es: data, fs: data, gs: data, ss: data},
			...{cr0: cr0.ET, cr3: 0n, cr4: 0n, efer: 0n},
		},
	};
}
