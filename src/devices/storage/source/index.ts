export {diskOption} from './disk-option.ts';
export {type DiskSource, measureDisk, mostMemoryBytes, sectorBytes} from './disk-source.ts';
export {type DiskHost, openDisk, sharedBytes} from './open-disk.ts';
