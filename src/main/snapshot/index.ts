export {asJson, checkShape} from './check-shape.ts';
export {type MachineShape, machineShape, type ShapedParts} from './machine-shape.ts';
export type {Manifest} from './manifest.ts';
export {type OpenSnapshot, openSnapshot, type SnapshotUnits} from './open-snapshot.ts';
export {type MachineToSave, saveSnapshot} from './save-snapshot.ts';
export {checkHypervisor, type OfferedHypervisor, type SavedHypervisor} from './saved-hypervisor.ts';
export {stateLimits} from './state-limits.ts';
export {verifySnapshot} from './verify-snapshot.ts';
