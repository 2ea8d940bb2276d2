export type {CommandOptions, CommandResult} from './command.ts';
export {IncubatorError} from './errors.ts';
export {findProgram, missingHostPackages} from './host-tools.ts';
export {DEFAULT_PROCESSORS, type Incubator, type IncubatorOptions, startIncubator} from './incubator.ts';
