export {bundleOptions, programOptions} from './bundle.ts';
export type {Command} from './command.ts';
export {FloweyError, WordsError} from './errors.ts';
export {type ExecuteOptions, type Execution, execute} from './execute.ts';
export {type FloweyNode, type NodeContext, runNode} from './node.ts';
export {PATHS} from './paths.ts';
export {runCommand} from './run-command.ts';
export {formatTable} from './table.ts';
