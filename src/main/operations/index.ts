export {mostConsoleBytes} from './console.ts';
export {inspect} from './inspect.ts';
export {integer, word} from './kinds.ts';
export {type Machine, type Operation, operation} from './operation.ts';
export {machineOperations} from './operations.ts';
export {checkParams, type Param} from './param.ts';
export {saveSnapshot} from './save.ts';
export {shellLine} from './shell-line.ts';
