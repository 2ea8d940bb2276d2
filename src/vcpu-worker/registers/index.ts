export {Msr, msrIndex, msrName} from './msrs.ts';
export type {ProcessorRegisters, RegisterChanges} from './processor-registers.ts';
