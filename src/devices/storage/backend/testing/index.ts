export {type Fault, FaultyDisks} from './faulty-disks.ts';
