export type {DiskHost} from './disk-kind.ts';
export {diskOption} from './disk-option.ts';
export {type DiskSource, measureDisk, mostMemoryBytes, sectorBytes} from './disk-source.ts';
export {diskForms} from './kinds.ts';
export {isVolatile, openDisk, sharedBytes} from './open-disk.ts';
