export {type ErrorData, type ErrorText, errorTable, isVmmError, VmmError} from './vmm-error.ts';
