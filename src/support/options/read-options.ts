import {isVmmError, type VmmError} from '#support/errors';
import type {KeepObject} from '#support/rpc';
import {optionError} from './errors.ts';
import type {NumberOption, OptionTable, OptionValues} from './option.ts';
import type {PathHost} from './path-host.ts';
import {valueTypeOf} from './value-types.ts';

/** Options as somebody gave them, before anything is known of them. */
export type RawOptions = Readonly<Record<string, unknown>>;

/** The values of all options that are right, and what is wrong with the others. */
export interface ReadOptions {
	readonly values: RawOptions;
	readonly problems: readonly VmmError[];
}

/**
 * Reads options by their table: defaults are filled in, and text is read as the words of a command line. Neither the order of
 * the values nor how they were written shows afterwards.
 * @param of - whose options they are, for errors
 */
export function readOptions(table: OptionTable, given: RawOptions, of: string): ReadOptions {
	const problems: VmmError[] = [];
	const values: Record<string, unknown> = {};
	for (const [name, option] of Object.entries(table)) {
		const type = valueTypeOf(option);
		const named = `${of} ${name}`;
		const raw = Object.hasOwn(given, name) ? given[name] : undefined;
		if (raw === undefined) {
			if (option.default !== undefined) values[name] = option.default;
			else if (option.optional !== true)
				problems.push(optionError('CONFIG_VALUE_MISSING', {option: named, expected: `${name}=${type.placeholder}`}));
			continue;
		}
		try {
			const value = typeof raw === 'string' ? type.parse(raw, named) : raw;
			const problem = type.check(value, named);
			if (problem) problems.push(problem);
			else values[name] = value;
		} catch (error) {
			if (!isVmmError(error)) throw error;
			problems.push(error);
		}
	}
	const allowed = Object.keys(table);
	for (const key of Object.keys(given))
		if (!allowed.includes(key)) problems.push(optionError('CONFIG_KEY_UNKNOWN', {option: of, key, allowed}));
	return {values, problems};
}

/** The same where all of it has to be right. @throws VmmError with a `CONFIG_` code: the first thing that is wrong */
export function completeOptions<const T extends OptionTable>(table: T, given: RawOptions, of: string): OptionValues<T> {
	const {values, problems} = readOptions(table, given, of);
	const [problem] = problems;
	if (problem) throw problem;
	return values as OptionValues<T>;
}

/** Says what is wrong on this host with values that are right by themselves. */
export function hostProblems(table: OptionTable, values: RawOptions, of: string, host: PathHost): VmmError[] {
	return Object.entries(table).flatMap(([name, option]) => {
		const value = values[name];
		return value === undefined ? [] : (valueTypeOf(option).checkHost?.(value, `${of} ${name}`, host) ?? []);
	});
}

/** Names what of the host's has to be given, and is not. */
export const missingHostOptions = (table: OptionTable, given: RawOptions): string[] =>
	Object.entries(table)
		.filter(([name, option]) => {
			const isOpen = option.host && option.default === undefined && option.optional !== true;
			return isOpen && !(Object.hasOwn(given, name) && given[name] !== undefined);
		})
		.map(([name]) => name);

/** Values as plain data: what is the program's in them is kept, and something stands for it. */
export const detachOptions = <V extends RawOptions>(table: OptionTable, values: V, keep: KeepObject): V =>
	Object.fromEntries(
		Object.entries(values).map(([name, value]) => {
			const option = table[name];
			return [name, (option && valueTypeOf(option).detach?.(value, keep)) ?? value];
		}),
	) as V;

/** The values that the guest can tell. */
export const guestOptions = (table: OptionTable, values: RawOptions): RawOptions =>
	Object.fromEntries(Object.entries(values).filter(([name]) => table[name] !== undefined && !table[name].host));

/**
 * Names the first of some values that the guest of such a device cannot have told: one that is no option, that is the host's, or
 * that is no value of its type. Words are not read.
 */
export const wrongGuestOption = (table: OptionTable, values: RawOptions): string | undefined =>
	Object.keys(values).find((name) => {
		const option = Object.hasOwn(table, name) ? table[name] : undefined;
		return option === undefined || option.host || valueTypeOf(option).check(values[name], name) !== undefined;
	});

/** Tells how each option of a table is written, and what it does. */
export const explainOptions = (table: OptionTable): (readonly [string, string])[] =>
	Object.entries(table).map(([name, option]) => {
		const {help, default: value, optional, host} = option;
		const notes = [
			...(option.type === 'number' ? [range(option)] : []),
			...(value === undefined
				? []
				: [`default ${value === '' || typeof value === 'object' ? JSON.stringify(value) : value}`]),
			...(value === undefined && optional !== true ? ['has to be given'] : []),
			...(host ? ["the host's"] : []),
		];
		const syntax = `${name}=${valueTypeOf(option).placeholder}`;
		return [syntax, notes.length === 0 ? help : `${help} [${notes.join('; ')}]`];
	});

/** Numbers above a byte are addresses or ports, which are known in hexadecimal. */
const range = ({min, max}: NumberOption): string =>
	max > 0xff ? `0x${min.toString(16)} to 0x${max.toString(16)}` : `${min} to ${max}`;
