export {CpuState, LockstepCounts, SegmentState, TableState, X87Register} from './cpu-state.ts';
export * from './layout.ts';
export {MicroOp} from './micro-op.ts';
export {ownRequests, Request} from './request.ts';
export {goOn, Stop} from './stop.ts';
