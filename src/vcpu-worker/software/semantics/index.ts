/** Meanings of the steps of instructions, written once, for interpreter and translator. */
export {type Difference, differenceWords, Flags, type FlagWord, type FlagWords, signExtended} from './flags.ts';
export {
	type AddressForm,
	enterKind,
	heatKind,
	type Kind,
	kindNumber,
	kinds,
	type StepWidth,
	systemKind,
} from './kinds.ts';
export type {
	Apart,
	FloatOperands,
	Half,
	Meaning,
	OperandName,
	Operation,
	SystemOperation,
	SystemRegister,
} from './operation.ts';
export {type Repeat, stringName} from './strings.ts';
export {enterPageFault, systemMeanings} from './system.ts';
export {vectorMeanings, wideMeanings} from './vector.ts';
export {vexMeanings} from './vex.ts';
