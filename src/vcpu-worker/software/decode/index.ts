/** From bytes to the steps that the interpreter executes. */
export {type BlockOptions, type BlockStep, decodeBlock} from './block.ts';
export {type DecodeFailure, decode} from './decoder.ts';
export type {CodeSize, Instruction, MemoryOperand, Operand} from './instruction.ts';
export {ownImmediate} from './step.ts';
