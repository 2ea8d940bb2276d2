export {type AcpiPmConfig, acpiPmKind} from './handle.ts';
export {acpiPm} from './model.ts';
export {pmLayout} from './registers.ts';
