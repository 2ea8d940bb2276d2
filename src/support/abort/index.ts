export {abortable, type LongOperation, type OperationSignal, untilAborted} from './abort.ts';
