export {Msr} from './msr-numbers.ts';
export {type MsrValue, type ResetMsr, type ResetMsrContext, resetMsrs, resetMsrTable} from './reset-msrs.ts';
export {answerUnknownMsr, type MsrAnswer, type QuietMsr, quietMsrs} from './unknown-msr.ts';
