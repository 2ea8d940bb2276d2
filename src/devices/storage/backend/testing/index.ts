export {type Fault, FaultyDisks} from './faulty-disks.ts';
export {LossyDisk, openLossy} from './lossy-disk.ts';
export {openStalling, stallMark} from './stalling-disk.ts';
