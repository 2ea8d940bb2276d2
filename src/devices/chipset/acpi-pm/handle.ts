import type {DeviceCommand} from '#devices/device';

/** Names this device in machine descriptions. */
export const acpiPmKind = 'acpi-pm';

/** The ACPI fixed hardware of a machine. */
export interface AcpiPmConfig {
	/** First port of the register block, {@link pmLayout.base} unless a machine moves it. */
	readonly base: number;
	/** The system control interrupt's input, {@link pmLayout.sciIrq} unless a machine moves it. */
	readonly sciIrq: number;
}

/** Presses the power button: the guest decides what follows (ACPI 6.5, 4.8.2.2.1.1). */
export const powerButton = {kind: 'power-button'} as const satisfies DeviceCommand;
