export {
	type BootRegisters,
	type DescriptorTable,
	type GeneralRegisters,
	generalRegisterNames,
	type Segment,
	type SpecialRegisters,
	segmentNames,
} from '#devices/processor';
export {Msr, msrIndex, msrName} from './msrs.ts';
export type {ProcessorRegisters, RegisterChanges} from './processor-registers.ts';
