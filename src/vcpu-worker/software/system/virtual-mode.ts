import {applyMode} from './control-state.ts';
import type {InterruptParts} from './interrupt-parts.ts';

/** Segments of virtual-8086 mode: 64 KiB of data that can be written, of privilege 3 (SDM volume 3, 20.2.1). */
const virtualSegment = {limit: 0xffff, attributes: 0xf3} as const;

/** Loads ES, CS, SS, DS, FS and GS as the 8086 does, after VM has been set. */
export function enterVirtual({core, mmu, segments}: InterruptParts, selectors: readonly number[]): void {
	for (const [index, selector] of selectors.entries())
		segments.set(index, selector, {base: BigInt(selector << 4), ...virtualSegment});
	applyMode(core, mmu);
}
