import {errorTable} from '#support/errors';

const remedy = 'Use a snapshot that this version made, or the version that made it';

/** Errors of saved state. */
export const stateError = errorTable({
	STATE_VERSION_UNKNOWN: (c: {struct: string; found: unknown; version: number}) => ({
		message: `The saved state of ${c.struct} has version ${String(c.found)}; this program reads up to ${c.version}`,
		remedy,
	}),
	STATE_FIELD_UNKNOWN: (c: {struct: string; field: string}) => ({
		message: `The saved state of ${c.struct} has the field ${c.field}, which is not known here`,
		remedy,
	}),
	STATE_FIELD_WRONG: (c: {struct: string; field: string}) => ({
		message: `The saved state of ${c.struct} is damaged: ${c.field} is missing or holds what it cannot hold`,
		remedy,
	}),
	STATE_UNITS_DIFFER: (c: {missing: readonly string[]; unknown: readonly string[]}) => ({
		message: [
			'The saved machine has other parts than this one',
			...c.missing.map((name) => `without ${name}`),
			...c.unknown.map((name) => `with ${name}`),
		].join(', '),
		remedy: 'Restore into a machine of the same configuration',
	}),
	STATE_DEVICES_DIFFER: (c: {missing: readonly string[]; unknown: readonly string[]}) => ({
		message: [
			'The saved machine has other devices than this one',
			...c.missing.map((name) => `without ${name}`),
			...c.unknown.map((name) => `with ${name}`),
		].join(', '),
		remedy: 'Restore into a machine of the same configuration',
	}),
});
