export {avxForms} from './avx-forms.ts';
export {bmiForms} from './bmi-forms.ts';
export {cryptoForms} from './crypto-forms.ts';
export {differences, type StateView} from './difference.ts';
export {type Element, type Form, formsOf, hasMemory, type Row} from './form.ts';
export {type CaseView, HostProcessor, siliconObstacle} from './host-processor.ts';
export {integerForms} from './integer-forms.ts';
export {codeAddress, windowAddress, windowEnd} from './layout.ts';
export type {Mask} from './mask.ts';
export {mmxForms} from './mmx-forms.ts';
export {
	CaseRecord,
	codeBytes,
	fixedRflags,
	type GeneralRegister,
	generalRegisters,
	noVector,
	ProcessorState,
	Rflags,
	type StatusFlag,
	windowBytes,
	XsaveArea,
} from './processor-state.ts';
export {Random} from './random.ts';
export {type BatchOptions, describeCase, formsOfHost, Silicon, type SiliconCase} from './silicon.ts';
export {sseForms} from './sse-forms.ts';
export {sse3Forms} from './sse3-forms.ts';
export {sse4Forms} from './sse4-forms.ts';
export {chooseMxcsr} from './vector-state.ts';
export {writeElements} from './vector-values.ts';
export {x87Forms} from './x87-forms.ts';
