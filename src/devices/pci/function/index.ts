export {intxLine} from './attached-function.ts';
export {completeModel} from './endpoint-model.ts';
export {bridgeLayout, type FunctionIdentity, type FunctionLayout} from './function-layout.ts';
export {
	type FunctionDesign,
	type FunctionFront,
	type FunctionModel,
	type FunctionParts,
	functionModel,
	isFunctionModel,
	isSlot,
	type PlacedBar,
} from './function-model.ts';
export {powerOnState} from './function-reset.ts';
