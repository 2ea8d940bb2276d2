export {type Fault, FaultyDisks} from './faulty-disks.ts';
export {LossyDisk, openLossy} from './lossy-disk.ts';
