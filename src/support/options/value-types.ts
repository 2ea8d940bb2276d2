import {inspect} from 'node:util';
import type {VmmError} from '#support/errors';
import {checkPath} from './check-path.ts';
import {optionError} from './errors.ts';
import {checkRange, parseNumber} from './numbers.ts';
import type {Option, OptionTable, ValueType} from './option.ts';

/** Gives the type that an option's values are written and checked by. */
export function valueTypeOf(option: Option): ValueType<unknown> {
	switch (option.type) {
		case 'number': {
			const {min, max} = option;
			return {
				placeholder: 'NUMBER',
				parse: (text, name) => parseNumber(text, name, min, max),
				check: (value, name) =>
					typeof value === 'number'
						? checkRange(value, name, min, max)
						: invalid(name, value, `a whole number from ${min} to ${max}`),
			};
		}
		case 'flag':
			return {
				placeholder: 'on|off',
				parse: (text, name) => {
					if (text === 'on' || text === 'off') return text === 'on';
					throw invalid(name, text, 'on or off');
				},
				check: (value, name) => (typeof value === 'boolean' ? undefined : invalid(name, value, 'true or false')),
			};
		case 'choice':
			return textType(option.choices.join('|'), option.choices.join(', '), (text) => option.choices.includes(text));
		case 'text':
			return textType('TEXT', 'text', () => true);
		case 'path': {
			const path = textType('PATH', 'a path', () => true);
			return {...path, checkHost: (value, name, host) => checkPath(host, option.use, value as string, name)};
		}
		default:
			return option.type;
	}
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

/** True for a table that options can be read by: it may be of a module in JavaScript. */
export const isOptionTable = (table: unknown): table is OptionTable =>
	isRecord(table) &&
	Object.values(table).every((option) => isRecord(option) && isText(option['help']) && isTyped(option));

const isText = (value: unknown) => typeof value === 'string';

function isTyped({type, min, max, choices, use}: Readonly<Record<string, unknown>>): boolean {
	switch (type) {
		case 'number':
			return typeof min === 'number' && typeof max === 'number';
		case 'choice':
			return Array.isArray(choices) && choices.every(isText);
		case 'path':
			return isText(use);
		case 'flag':
		case 'text':
			return true;
		default:
			return isRecord(type) && isText(type['placeholder']) && [type['parse'], type['check']].every(isFunction);
	}
}

const isFunction = (value: unknown) => typeof value === 'function';

function textType(placeholder: string, expected: string, isRight: (text: string) => boolean): ValueType<unknown> {
	const check = (value: unknown, name: string) =>
		typeof value === 'string' && isRight(value) ? undefined : invalid(name, value, expected);
	return {
		placeholder,
		parse: (text, name) => {
			const problem = check(text, name);
			if (problem) throw problem;
			return text;
		},
		check,
	};
}

/** Longer values are not shown whole: who made them is not always who reads this. */
const mostLetters = 120;

/** Gives the error for a value that is none of its type. */
export function invalid(option: string, value: unknown, expected: string): VmmError {
	const text = typeof value === 'string' ? value : inspect(value, {depth: 1, breakLength: Number.POSITIVE_INFINITY});
	const shown = text.length > mostLetters ? `${text.slice(0, mostLetters)}…` : text;
	return optionError('CONFIG_VALUE_INVALID', {option, value: shown, expected});
}
