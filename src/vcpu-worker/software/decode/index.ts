/** From bytes to the steps that the interpreter executes. */
export {
	BlockDecoder,
	type BlockOptions,
	type DecodedBlock,
	goesStraight,
	maxBlockInstructions,
	maxBlockRecords,
} from './block.ts';
export {buildFormWriter} from './build-form-writer.ts';
export {type DecodeFailure, decode} from './decoder.ts';
export {type Announced, announcedBy, announcedKey, Feature} from './features.ts';
export type {CodeSize, Instruction, MemoryOperand, Operand} from './instruction.ts';
export {listForms, makeForms} from './known-forms.ts';
export {x87Memories} from './lower-x87.ts';
export {ownImmediate, RecordWord} from './step.ts';
export {type X87Memory, x87Operations} from './x87-table.ts';
