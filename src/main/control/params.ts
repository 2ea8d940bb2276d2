import {controlError} from './errors.ts';

/** One parameter of a method: what it is, and its value when that is right. */
export interface Param<T> {
	readonly expected: string;
	/** Undefined for a value that is none. Not asked about one that is absent. */
	parse(value: unknown): T | undefined;
	readonly optional?: boolean;
}

type Params = Readonly<Record<string, Param<unknown>>>;

/** The checked values of a method's parameters. */
export type ParamValues<P extends Params> = {
	readonly [K in keyof P]: P[K] extends Param<infer T> ? T : never;
};

/** Text of at most this many characters. */
export const text = (maxLength: number): Param<string> => ({
	expected: `text of at most ${maxLength} characters`,
	parse: (value) => (typeof value === 'string' && value.length <= maxLength ? value : undefined),
});

export const integer = (least: number, most: number): Param<number> => ({
	expected: `an integer from ${least} to ${most}`,
	parse: (value) =>
		typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most ? value : undefined,
});

export const flag = (): Param<boolean> => ({
	expected: 'true or false',
	parse: (value) => (typeof value === 'boolean' ? value : undefined),
});

/** One of these words. */
export const choice = <T extends string>(words: readonly T[]): Param<T> => ({
	expected: words.join(' or '),
	parse: (value) => words.find((word) => word === value),
});

/** The parameter may be absent, and is undefined then. */
export const optional = <T>(param: Param<T>): Param<T | undefined> => ({...param, optional: true});

/**
 * Checks what a client sent.
 * @throws VmmError CONTROL_PARAM_INVALID, CONTROL_PARAM_UNKNOWN
 */
export function parseParams<P extends Params>(
	method: string,
	params: P,
	given: Readonly<Record<string, unknown>>,
): ParamValues<P> {
	const unknown = Object.keys(given).find((name) => !Object.hasOwn(params, name));
	if (unknown !== undefined)
		throw controlError('CONTROL_PARAM_UNKNOWN', {method, param: unknown, known: Object.keys(params)});
	const values = Object.entries(params).map(([name, param]) => {
		if (!Object.hasOwn(given, name) && param.optional) return [name, undefined];
		const value = Object.hasOwn(given, name) ? param.parse(given[name]) : undefined;
		if (value === undefined)
			throw controlError('CONTROL_PARAM_INVALID', {method, param: name, expected: param.expected});
		return [name, value];
	});
	return Object.fromEntries(values);
}
