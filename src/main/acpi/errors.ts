import {errorTable} from '#support/errors';

/** Errors of laying out the ACPI tables. */
export const acpiError = errorTable({
	ACPI_TABLES_TOO_LARGE: (c: {end: number; limit: number}) => ({
		message: `The ACPI tables end at 0x${c.end.toString(16)}, past 0x${c.limit.toString(16)} where conventional memory ends`,
		remedy: 'Use fewer processors or devices',
	}),
	ACPI_TOO_MANY_HOST_BRIDGES: (c: {count: number; limit: number}) => ({
		message: `${c.count} PCIe root complexes were asked for; ACPI can name ${c.limit}`,
		remedy: `Use at most ${c.limit}`,
	}),
	ACPI_ECAM_TOO_LOW: (c: {ecam: number; startBus: number}) => ({
		message: `The configuration space at 0x${c.ecam.toString(16)} begins with bus ${c.startBus}, so bus 0 would lie below address 0`,
		remedy: 'Place it at 0x10000000 or above',
	}),
});
