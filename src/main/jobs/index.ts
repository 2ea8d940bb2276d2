export {maxCandidates, maxVmcoreinfoBytes} from './find-vmcoreinfo.ts';
export {handOut} from './hand-out.ts';
export {compute, createJobPool, type JobPool} from './job-pool.ts';
export type {BankPages, HostPages, RamPages} from './populated.ts';
export {type JsonLimits, type ReadJsonJob, type ReadJsonResult, readJson} from './read-json.ts';
export {chunkBytes, type RamPiece} from './save-memory.ts';
