import type {BootRegisters} from '#vcpu-worker/registers';
import type {MemoryPiece} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {longModeEntry} from '../entry-state.ts';
import {buildGdt, flatSegments} from '../gdt.ts';
import {identityPageTables} from '../page-tables.ts';
import {buildZeroPage, type ZeroPageContent} from './zero-page.ts';

/**
 * What lies in low memory beside the command line: GDT, zero page, page tables.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function linuxBootPieces(content: ZeroPageContent): MemoryPiece[] {
	const {gdt, bootInfo, pageTables} = bootLayout;
	return [
		{name: 'GDT', gpa: gdt, data: buildGdt(flatSegments.code64)},
		{name: 'zero page', gpa: bootInfo, data: buildZeroPage(content)},
		{name: 'page tables', gpa: pageTables, data: identityPageTables(pageTables)},
	];
}

/** 64-bit entry with RSI pointing to the zero page. */
export function linuxEntry(rip: number): BootRegisters {
	return longModeEntry({rip: BigInt(rip), rsi: BigInt(bootLayout.bootInfo)});
}
