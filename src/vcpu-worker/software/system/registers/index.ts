/** Flags, control, debug and model-specific registers, what CPUID lets there be of them, and the exceptions that they lead to. */

export {
	applyMode,
	applyPrivilege,
	Cr0,
	Cr4,
	CS,
	codeSizeOf,
	Efer,
	Flag,
	hasRealSegments,
	privilegeOf,
	requirePrivilege,
	SS,
} from './control-state.ts';
export {DebugBit, DebugUnit, debugValue} from './debug-unit.ts';
export {
	Attribute,
	type Descriptor,
	descriptorOf,
	dplOf,
	isCode,
	isPresent,
	isSystem,
	SystemType,
	typeOf,
} from './descriptor.ts';
export {Features} from './features.ts';
export {GuestFault, generalProtection, invalidOpcode, isDoubleFault, Vector} from './guest-fault.ts';
export {ModelRegisters, Msr} from './msrs.ts';
export type {Outside} from './outside.ts';
export {allStatus, flagsOf, Status, setFlags} from './rflags.ts';
