export {abortable, type LongOperation, longestTimerMs, type OperationSignal, untilAborted} from './abort.ts';
