export {Msr, msrIndex, msrName} from './msrs.ts';
export type {ProcessorRegisters, RegisterChanges} from './processor-registers.ts';
export {
	type BootRegisters,
	type DescriptorTable,
	type GeneralRegisters,
	generalRegisterNames,
	type Segment,
	type SpecialRegisters,
	segmentNames,
} from './registers.ts';
