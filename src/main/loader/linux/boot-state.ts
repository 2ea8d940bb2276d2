import type {BootRegisters} from '#devices/processor';
import type {MemoryPiece} from '../boot-image.ts';
import {bootLayout} from '../boot-layout.ts';
import {longModeEntry, protectedModeEntry} from '../entry-state.ts';
import {buildGdt, flatSegments} from '../gdt.ts';
import {identityPageTables} from '../page-tables.ts';
import {buildZeroPage, type ZeroPageContent} from './zero-page.ts';

/**
 * Makes the pieces in low memory beside the command line: GDT, zero page, and page tables for an entry in 64-bit mode.
 * @throws VmmError MEMORY_MAP_TOO_LONG
 */
export function linuxBootPieces(content: ZeroPageContent): (MemoryPiece | undefined)[] {
	const {gdt, bootInfo, pageTables} = bootLayout;
	const wide = (content.header?.bits ?? 64) === 64;
	return [
		{name: 'GDT', gpa: gdt, data: buildGdt(wide ? flatSegments.code64 : flatSegments.code32)},
		{name: 'zero page', gpa: bootInfo, data: buildZeroPage(content)},
		wide ? {name: 'page tables', gpa: pageTables, data: identityPageTables(pageTables)} : undefined,
	];
}

/** Entry in 64-bit or 32-bit mode with RSI pointing to the zero page; the 32-bit protocol wants some others zero. */
export function linuxEntry(address: number, bits: 32 | 64 = 64): BootRegisters {
	const general = {rip: BigInt(address), rsi: BigInt(bootLayout.bootInfo)};
	return bits === 64 ? longModeEntry(general) : protectedModeEntry({...general, rbx: 0n, rbp: 0n, rdi: 0n});
}
