export {type MsrValue, type ResetMsr, type ResetMsrContext, resetMsrs, resetMsrTable} from './reset-msrs.ts';
export {type QuietMsr, quietMsrs, unknownMsrs} from './unknown-msr.ts';
