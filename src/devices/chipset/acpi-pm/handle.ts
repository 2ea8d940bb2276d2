/** Names this device in machine descriptions. */
export const acpiPmKind = 'acpi-pm';

/** The ACPI fixed hardware of a machine. */
export interface AcpiPmConfig {
	/** First port of the register block, {@link pmLayout.base} unless a machine moves it. */
	readonly base: number;
	/** The system control interrupt's input, {@link pmLayout.sciIrq} unless a machine moves it. */
	readonly sciIrq: number;
}
