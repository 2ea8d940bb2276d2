export {type HostMemory, type MemoryWatch, watchMemory} from './memory-watch.ts';
