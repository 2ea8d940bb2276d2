export {checkShape, machineShape} from './check-shape.ts';
export type {MachineShape, Manifest} from './manifest.ts';
export {type OpenSnapshot, openSnapshot} from './open-snapshot.ts';
export {type MachineToSave, saveSnapshot} from './save-snapshot.ts';
export {verifySnapshot} from './verify-snapshot.ts';
