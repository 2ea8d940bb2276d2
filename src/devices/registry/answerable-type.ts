import {inspect} from 'node:util';
import type {AnyDeviceType} from '#devices/device-type';
import {errorTable, isVmmError} from '#support/errors';

const answerError = errorTable({
	DEVICE_MODULE_FAILED: (c: {module: string; part: string; cause: string}) => ({
		message: `The device module ${c.module} fails in "${c.part}": ${c.cause}`,
		remedy:
			'openvmm check-device PATH tries the whole of it; the guide shows how to write one: "Devices", "A device of your own"',
	}),
});

/** What a module has thrown, which may be anything. */
export const causeOf = (thrown: unknown): string =>
	thrown instanceof Error ? thrown.message : inspect(thrown, {depth: 1});

type Plain = Readonly<Record<string, unknown>>;
const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null;
const isNumber = Number.isSafeInteger as (value: unknown) => boolean;
const listOf = (isRight: (item: Plain) => boolean) => (value: unknown) =>
	Array.isArray(value) && value.every((item) => isPlain(item) && isRight(item));
const valuesOf = (isRight: (value: unknown) => boolean) => (value: unknown) =>
	isPlain(value) && !Array.isArray(value) && Object.values(value).every(isRight);
const withCalls =
	(...names: readonly string[]) =>
	(value: unknown) =>
		isPlain(value) && names.every((name) => typeof value[name] === 'function');

const spaces = ['pio', 'mmio', 'msr', 'hypercall', 'intercept', 'bar', 'pages', 'config'];
const isInput = (input: unknown) => input === 'shared' || input === 'own' || typeof input === 'number';
const isObject = ['an object', isPlain] as const;
/** What each function of a type is to give: in words, and how to tell. What there may be of it, the machine's layout knows. */
const answers = {
	attach: isObject,
	regions: [
		'regions, each with a known space, a name, a base and a length',
		listOf(
			({space, name, base, length}) =>
				spaces.includes(space as string) && typeof name === 'string' && isNumber(base) && isNumber(length),
		),
	],
	design: isObject,
	doorbells: [
		'doorbells, each with numbers for region, offset and queue',
		listOf(({region, offset, queue}) => [region, offset, queue].every((number) => typeof number === 'number')),
	],
	workers: ['a number', isNumber],
	hostMemory: ['a number of bytes', isNumber],
	commonMemory: [
		'a name and a number of bytes, or nothing',
		(value: unknown) =>
			value === undefined || (isPlain(value) && typeof value['name'] === 'string' && isNumber(value['bytes'])),
	],
	savedMemory: [
		'parts of its host memory, each with a name, numbers for offset and length, and whether it may be new',
		listOf(
			({name, offset, length, mayBeNew}) =>
				typeof name === 'string' && isNumber(offset) && isNumber(length) && typeof mayBeNew === 'boolean',
		),
	],
	lines: ['a number, "shared" or "own" for each name', valuesOf(isInput)],
	inputs: ['a number for each name', valuesOf(isNumber)],
	front: ['an object with read and write', withCalls('read', 'write')],
	back: ['an object with start, stop, notified and dispose', withCalls('start', 'stop', 'notified', 'dispose')],
	make: ['an object with read, write, reset, save and restore', withCalls('read', 'write', 'reset', 'save', 'restore')],
	acpi: isObject,
	smbios: [
		'structures, each with a type and a body',
		listOf(({type, body}) => isNumber(type) && body instanceof Uint8Array),
	],
} as const satisfies Readonly<Record<string, readonly [words: string, isRight: (value: unknown) => boolean]>>;
/** A function of a type. */
export type PartName = keyof typeof answers;

/** What its author calls a part. */
const authorsNames: Partial<Record<PartName, string>> = {regions: 'attach', design: 'attach', make: 'owned'};

/**
 * Runs a function of a module's. Errors of this program's own, like those of options, stay what they are.
 * @throws VmmError DEVICE_MODULE_FAILED
 */
export function answerOf<R>(module: string, part: PartName, run: () => R): R {
	const fails = (cause: string) =>
		answerError('DEVICE_MODULE_FAILED', {module, part: authorsNames[part] ?? part, cause});
	let given: R;
	try {
		given = run();
	} catch (thrown) {
		throw isVmmError(thrown) ? thrown : fails(causeOf(thrown));
	}
	const [words, isRight] = answers[part];
	if (isRight(given)) return given;
	throw fails(`it gives ${inspect(given, {depth: 1, breakLength: Number.POSITIVE_INFINITY})}, not ${words}`);
}

// biome-ignore lint/suspicious/noExplicitAny: each part has parameters of its own
type Part = (...args: any[]) => unknown;

/** The same type, whose functions answer for what they throw, and for what makes no sense, by the name of their module. */
export function answerableType(module: string, type: AnyDeviceType): AnyDeviceType {
	const answerable = (parts: object, names: readonly PartName[]) =>
		Object.fromEntries(
			names.flatMap((name) => {
				const part = (parts as Readonly<Record<string, Part | undefined>>)[name];
				return part === undefined
					? []
					: [[name, (...args: unknown[]) => answerOf(module, name, () => part.apply(parts, args))]];
			}),
		);
	const {owned} = type;
	return {
		...type,
		...answerable(type, [
			'regions',
			'design',
			'doorbells',
			'workers',
			'hostMemory',
			'commonMemory',
			'savedMemory',
			'lines',
			'inputs',
			'front',
			'back',
			'acpi',
			'smbios',
		]),
		...(owned && {owned: {...owned, ...answerable(owned, ['make'])}}),
	};
}
