import {sharedStruct, u16, u32} from '#support/shared-memory';
import {Pm1Control} from './registers.ts';

/** The shared state of the ACPI fixed hardware. */
export const AcpiPmState = sharedStruct('acpi-pm', {
	status: u16(),
	enable: u16(),
	control: u16(Pm1Control.SCI_EN),
	gpeStatus: u16(),
	gpeEnable: u16(),
	/** Sleep and reset requests. */
	requests: u32(),
});

/** Fields of {@link AcpiPmState}. */
export type AcpiPmFields = (typeof AcpiPmState)['fields'];
