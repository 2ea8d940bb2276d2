export {
	type ControllerFlag,
	diskFlag,
	diskFlagOption,
	type FlaggedDisk,
	flaggedDisks,
	parseAddition,
} from './disk-flag.ts';
