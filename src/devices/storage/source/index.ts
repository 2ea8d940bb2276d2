export {diskOption} from './disk-option.ts';
export {type DiskSource, mostMemoryBytes, sectorBytes} from './disk-source.ts';
export {type DiskHost, openDisk, sharedBytes} from './open-disk.ts';
