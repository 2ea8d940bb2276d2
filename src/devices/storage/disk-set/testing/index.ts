export {HeldDisks} from './held-disks.ts';
