export {type AcpiPmConfig, acpiPm, acpiPmKind, powerButton} from './device.ts';
export {acpiPmType} from './device-type.ts';
export {pmLayout} from './registers.ts';
