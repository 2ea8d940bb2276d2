import {errorTable} from '#support/errors';

/** Errors of building the SMBIOS table. */
export const smbiosError = errorTable({
	SMBIOS_STRING_INVALID: (c: {value: string}) => ({
		message: `SMBIOS cannot hold the string ${JSON.stringify(c.value)}, only printable ASCII characters`,
		remedy: 'Use letters, digits, spaces and punctuation of ASCII',
	}),
	SMBIOS_TABLE_TOO_LARGE: (c: {end: number; limit: number}) => ({
		message: `The SMBIOS table ends at 0x${c.end.toString(16)}, past 0x${c.limit.toString(16)} where conventional memory ends`,
		remedy: 'Use shorter strings',
	}),
});
