export type {DiskHost} from './disk-kind.ts';
export {diskOption} from './disk-option.ts';
export {type DiskSource, measureDisk, mostMemoryBytes, sectorBytes} from './disk-source.ts';
export {diskForms} from './kinds.ts';
export {openDisk, savedParts, sharedBytes} from './open-disk.ts';
