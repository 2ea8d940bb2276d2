import {errorTable} from '#support/errors';
import type {Kind} from './kinds.ts';

/** A client of a control socket is told these, so that their codes are those of its protocol. */
const operationError = errorTable({
	CONTROL_PARAM_INVALID: (c: {method: string; param: string; expected: string}) => ({
		message: `The parameter "${c.param}" of ${c.method} is wrong`,
		remedy: `Give ${c.expected}`,
	}),
	CONTROL_PARAM_UNKNOWN: (c: {method: string; param: string; known: readonly string[]}) => ({
		message: `${c.method} has no parameter "${c.param}"`,
		remedy: c.known.length === 0 ? 'It has none' : `It has ${c.known.join(', ')}`,
	}),
});

/** One parameter of an operation. */
export interface Param<T = unknown> {
	readonly kind: Kind<T>;
	readonly help: string;
	/** The word that stands for the value in the help, in capitals; a switch has none. */
	readonly placeholder?: string;
	/** Its flag on a line, without dashes; one without a flag is a word in its place. */
	readonly flag?: string;
	/** Short name of the flag, without its dash. */
	readonly short?: string;
	readonly optional?: true;
}

/** The parameters of an operation by their names. */
export type Params = Readonly<Record<string, Param>>;

/** The checked values of parameters. */
export type ParamValues<P extends Params> = {
	readonly [K in keyof P]: P[K]['kind'] extends Kind<infer T>
		? P[K] extends {readonly optional: true}
			? T | undefined
			: T
		: never;
};

/**
 * Checks what a client sent.
 * @param method - name of the operation
 * @throws VmmError CONTROL_PARAM_INVALID, CONTROL_PARAM_UNKNOWN, and what a {@link Kind} throws
 */
export function checkParams(
	method: string,
	params: Params,
	given: Readonly<Record<string, unknown>>,
): ParamValues<Params> {
	const unknown = Object.keys(given).find((name) => !Object.hasOwn(params, name));
	if (unknown !== undefined)
		throw operationError('CONTROL_PARAM_UNKNOWN', {method, param: unknown, known: Object.keys(params)});
	const values = Object.entries(params).map(([name, {kind, optional}]) => {
		const isGiven = Object.hasOwn(given, name);
		if (!isGiven && optional) return [name, undefined];
		const value = isGiven ? kind.check(given[name]) : undefined;
		if (value === undefined)
			throw operationError('CONTROL_PARAM_INVALID', {method, param: name, expected: kind.expected});
		return [name, value];
	});
	return Object.fromEntries(values);
}
