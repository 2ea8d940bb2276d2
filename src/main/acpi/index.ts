export {
	type AcpiOptions,
	type AcpiTables,
	buildAcpiTables,
} from './acpi-tables.ts';
export {type AcpiDevice, describeToAcpi} from './devices/index.ts';
export {type ComPort, mmioModule} from './dsdt.ts';
export {acpiError} from './errors.ts';
export type {AcpiInitiator, AcpiNuma} from './numa.ts';
export type {PcieHostBridge} from './pcie.ts';
