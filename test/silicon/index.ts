export {type CaseView, HostProcessor, siliconObstacle} from './host-processor.ts';
export {codeAddress, windowAddress, windowEnd} from './layout.ts';
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
