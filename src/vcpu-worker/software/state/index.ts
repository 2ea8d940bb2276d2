export {CpuState, LockstepCounts, RamPart, SegmentState, TableState, walkedParts, X87Register} from './cpu-state.ts';
export * from './layout.ts';
export {MicroOp} from './micro-op.ts';
export {noExecute, PageFault, reservedHigh, TableEntry, Walked, WalkRule} from './paging.ts';
export {ownRequests, Request} from './request.ts';
export {goOn, Stop} from './stop.ts';
