export {type ControllerFlag, diskFlag, diskFlagOption, type FlaggedDisk, flaggedDisks} from './disk-flag.ts';
