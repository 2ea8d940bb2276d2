import type {Aml} from '#main/acpi/aml';

/** What the ACPI tables say of one device of the machine. */
export interface AcpiDevice {
	/** Its device object, for the `\_SB` scope. */
	readonly device?: Aml;
	/** Its event method, for the `\_GPE` scope. */
	readonly event?: Aml;
	/** It is a keyboard controller, which the FADT mentions. */
	readonly isI8042?: true;
	/** A whole table of its own. */
	readonly table?: {readonly name: string; readonly data: Uint8Array};
}
