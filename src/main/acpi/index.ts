export {
	type AcpiOptions,
	type AcpiTables,
	buildAcpiTables,
} from './acpi-tables.ts';
export {acpiError} from './errors.ts';
export type {AcpiInitiator, AcpiNuma} from './numa.ts';
export type {PcieHostBridge} from './pcie.ts';
