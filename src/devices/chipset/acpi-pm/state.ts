import {u16, u32, wire} from '#support/wire';
import {Pm1Control} from './registers.ts';

/** The shared state of the ACPI fixed hardware. */
export const AcpiPmState = wire('acpi-pm', {
	status: u16,
	enable: u16,
	control: u16.initial(Pm1Control.SCI_EN),
	gpeStatus: u16,
	gpeEnable: u16,
	/** Sleep and reset requests. */
	requests: u32,
});

/** Fields of {@link AcpiPmState}. */
export type AcpiPmFields = (typeof AcpiPmState)['fields'];
