import {applyMode, CS, Flag, flagsOf, generalProtection} from '#vcpu-worker/software/system/registers';
import {FarStack} from './far-stack.ts';
import {readSystem} from './inner-stack.ts';
import type {InterruptParts} from './interrupt-parts.ts';
import {ioplOf, virtualImage} from './virtual-flags.ts';

const TR = 7;
const wideTss = 8;
/** The map of interrupts has 32 bytes below the map of ports, whose offset is in the TSS (SDM volume 3, figure 20-5). */
const portMapAt = 0x66;
const redirectionBytes = 32;
/** Segments of virtual-8086 mode: 64 KiB of data that can be written, of privilege 3 (SDM volume 3, 20.2.1). */
const virtualSegment = {limit: 0xffff, attributes: 0xf3} as const;

/** Loads ES, CS, SS, DS, FS and GS as the 8086 does, after VM has been set. */
export function enterVirtual({core, mmu, segments}: InterruptParts, selectors: readonly number[]): void {
	for (const [index, selector] of selectors.entries())
		segments.set(index, selector, {base: BigInt(selector << 4), ...virtualSegment});
	applyMode(core, mmu);
}

/** Tells whether the task has INT n handled by the program's own table: its bit is 0 (SDM volume 3, 20.3). */
export function isRedirected(parts: InterruptParts, vector: number): boolean {
	const {base = 0n, limit = 0, attributes = 0} = parts.core.state.segments[TR] ?? {};
	if ((attributes & wideTss) === 0 || limit < portMapAt + 1) throw generalProtection();
	const at = Number(readSystem(parts, base + BigInt(portMapAt), 2)) - redirectionBytes + (vector >> 3);
	if (at < 0 || at > limit) throw generalProtection();
	return ((Number(readSystem(parts, base + BigInt(at), 1)) >> (vector & 7)) & 1) === 0;
}

/** Enters a handler of the program's own table, at linear address 0; with an IOPL below 3 VIF stands for IF (SDM volume 3, 20.3.1.4 and 20.3.2). */
export function redirect(parts: InterruptParts, vector: number): void {
	const {core, segments} = parts;
	const {state} = core;
	const place = BigInt(vector * 4);
	const [target, selector] = [readSystem(parts, place, 2), Number(readSystem(parts, place + 2n, 2))];
	const isOwn = ioplOf(core) === 3;
	const stack = new FarStack(parts, 2);
	stack.push(
		BigInt(isOwn ? flagsOf(state) : virtualImage(state)),
		BigInt(state.segments[CS]?.selector ?? 0),
		state.rip,
	);
	stack.commit();
	segments.setReal(CS, selector);
	state.rip = target;
	state.controlFlags = (state.controlFlags & ~(Flag.TF | Flag.RF | (isOwn ? Flag.IF : Flag.VIF))) >>> 0;
}
