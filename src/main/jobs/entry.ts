export {decompressKernel} from './decompress-kernel.ts';
export {findVmcoreinfo} from './find-vmcoreinfo.ts';
export {populatedChunks} from './populated.ts';
export {prefetch} from './prefetch.ts';
export {readJson} from './read-json.ts';
export {saveMemory} from './save-memory.ts';
export {verifyMemory} from './verify-memory.ts';
