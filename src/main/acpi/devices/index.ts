export type {AcpiDevice} from './acpi-device.ts';
export {describeToAcpi} from './describe.ts';
