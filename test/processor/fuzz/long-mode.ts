import type {Processor} from '#vcpu-worker/software/system';

/** CR0: PE, MP, ET, NE, PG; CR4: PAE, OSFXSR, OSXMMEXCPT; EFER: LME, LMA, NXE. */
const registers = {cr0: 0x8000_0033n, cr4: 0x620n, efer: 0xd00n, controlFlags: 2};
/** Flat, with privilege 0: 64-bit code, and writable data. */
const attributes = {code: 0xa09b, data: 0xc093} as const;
const selectors = {code: 8, data: 16} as const;

/** Has a processor begin 64-bit code at privilege 0, with other general registers than RSP 0. */
export function beginLongMode(processor: Processor, begin: {rip: number; tables: number; stack: number}): void {
	const {state} = processor.core;
	Object.assign(state, registers, {cr3: BigInt(begin.tables), rip: BigInt(begin.rip)});
	state.general.fill(0n);
	state.general[4] = BigInt(begin.stack);
	for (const [index, segment] of state.segments.entries()) {
		const kind = index === 1 ? 'code' : 'data';
		Object.assign(segment, {selector: selectors[kind], base: 0n, limit: 0xffff_ffff, attributes: attributes[kind]});
	}
	processor.changed();
}
