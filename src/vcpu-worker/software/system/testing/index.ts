export {type LoneMemory, loneMemory} from './lone-memory.ts';
