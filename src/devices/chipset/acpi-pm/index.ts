export {acpiPmType} from './device-type.ts';
export {type AcpiPmConfig, acpiPmKind, powerButton} from './handle.ts';
export {acpiPm} from './model.ts';
export {pmLayout} from './registers.ts';
