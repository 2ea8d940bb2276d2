import {errorTable} from '#support/errors';

/** Errors of a declaration, and of a value that is written by one. */
export const wireError = errorTable({
	WIRE_DECLARATION_INVALID: (c: {wire: string; cause: string}) => ({
		message: `The layout of ${c.wire} is not possible: ${c.cause}`,
		remedy: 'Compare the declaration with its specification, and name what lies between fields as reserved(n)',
	}),
	WIRE_VALUE_INVALID: (c: {field: string; cause: string}) => ({message: `${c.field} cannot be written: ${c.cause}`}),
});
