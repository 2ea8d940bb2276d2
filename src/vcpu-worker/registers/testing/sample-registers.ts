import type {GeneralRegisters, Segment, SpecialRegisters} from '#devices/processor';
import {generalRegisterNames, segmentNames} from '#devices/processor';
import type {ProcessorRegisters} from '#vcpu-worker/registers';

const segment: Segment = {
	base: 0n,
	limit: 0xffff,
	selector: 0,
	type: 3,
	present: true,
	dpl: 0,
	db: false,
	s: true,
	l: false,
	g: false,
};
const table = {base: 0n, limit: 0xffff};
const controls = {cr0: 0x10n, cr2: 0n, cr3: 0n, cr4: 0n, cr8: 0n, efer: 0n, apicBase: 0xfee0_0900n};

/** A processor in real mode, its registers zero but for those given. */
export function sampleRegisters(given: {
	readonly general?: Partial<GeneralRegisters>;
	readonly special?: Partial<SpecialRegisters>;
	readonly fxsave?: Uint8Array;
}): ProcessorRegisters {
	const zero = Object.fromEntries(generalRegisterNames.map((name) => [name, 0n])) as GeneralRegisters;
	const segments = Object.fromEntries(segmentNames.map((name) => [name, segment]));
	const special = {...segments, gdt: table, idt: table, ...controls, ...given.special} as SpecialRegisters;
	const fxsave = given.fxsave ?? new Uint8Array(512);
	const rest = {fxsave, ymmHigh: new Uint8Array(256), kernelGsBase: 0n, activity: 'running'} as const;
	return {general: {...zero, ...given.general}, special, ...rest};
}
