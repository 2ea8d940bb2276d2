export {abortable, type LongOperation, untilAborted} from './abort.ts';
