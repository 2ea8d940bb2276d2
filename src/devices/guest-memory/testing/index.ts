export {plainMemory} from './plain-memory.ts';
