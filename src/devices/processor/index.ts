export {
	type BootRegisters,
	type DescriptorTable,
	type GeneralRegisters,
	generalRegisterNames,
	type Segment,
	type SpecialRegisters,
	segmentNames,
} from './registers.ts';
export {
	type Intercept,
	type LevelChanges,
	type LevelRegisters,
	ownRegisterNames,
	PageRights,
	type TrustLevels,
	type Vtl,
} from './trust-levels.ts';
