import type {VmmError} from '#support/errors';
import type {KeepObject} from '#support/rpc';
import type {PathUse} from './check-path.ts';
import type {PathHost} from './path-host.ts';

/** A kind of value that an option may have beyond those that have names: how it is written, and what is wrong with it. */
export interface ValueType<V> {
	/** Stands for the value in explanations, in capitals. */
	readonly placeholder: string;
	/** @throws VmmError with a `CONFIG_` code for words that are no such value */
	parse(text: string, option: string): V;
	/** Says what is wrong with data that is to be such a value; it may be anybody's. */
	check(value: unknown, option: string): VmmError | undefined;
	/** Says what is wrong with a value on this host. */
	checkHost?(value: V, option: string, host: PathHost): VmmError | undefined;
	/**
	 * Takes functions and objects of the program's out of a value, which no other thread can have.
	 * @param keep - keeps one, and gives what devices call it by
	 * @returns the value as plain data
	 */
	detach?(value: V, keep: KeepObject): V;
}

/** Fields of an option whatever its values are. */
interface Row<V> {
	readonly help: string;
	/** The value where none is given. An option without one has to be given, unless it is {@link optional}. */
	readonly default?: V;
	readonly optional?: true;
	/** A value as somebody might give it. Tests use it where there is no default. */
	readonly example?: V;
	/** The guest cannot tell its value, so it may differ where a snapshot is restored. All other options are the guest's. */
	readonly host?: true;
}

/** A whole number, written in decimal or as 0x and hexadecimal. */
export interface NumberOption extends Row<number> {
	readonly type: 'number';
	readonly min: number;
	readonly max: number;
}

/** Yes or no, written `on` and `off`. */
export interface FlagOption extends Row<boolean> {
	readonly type: 'flag';
}

/** One word of a few. */
export interface ChoiceOption<V extends string = string> extends Row<V> {
	readonly type: 'choice';
	readonly choices: readonly V[];
}

/** Any text. */
export interface TextOption extends Row<string> {
	readonly type: 'text';
}

/** A path of the host's. */
export interface PathOption extends Row<string> {
	readonly type: 'path';
	readonly use: PathUse;
	readonly host: true;
}

/** An option whose values are of a type of their own. */
export interface TypedOption<V> extends Row<V> {
	readonly type: ValueType<V>;
}

/** One option, as data: parsing, checking, defaults, help, and what of it a snapshot keeps, are made from it. */
export type Option =
	| NumberOption
	| FlagOption
	| ChoiceOption
	| TextOption
	| PathOption
	// biome-ignore lint/suspicious/noExplicitAny: existential over the values; each table is checked where it is written
	| TypedOption<any>;

/** Options by name. */
export type OptionTable = Readonly<Record<string, Option>>;

type ValueOf<O> = O extends {readonly type: 'number'}
	? number
	: O extends {readonly type: 'flag'}
		? boolean
		: O extends {readonly type: 'choice'; readonly choices: readonly (infer V)[]}
			? V
			: O extends {readonly type: 'text' | 'path'}
				? string
				: O extends {readonly type: ValueType<infer V>}
					? V
					: never;

type OptionalKeys<T extends OptionTable> = {
	[K in keyof T]: T[K] extends {readonly optional: true} ? K : never;
}[keyof T];
type NeededKeys<T extends OptionTable> = {
	[K in keyof T]: T[K] extends {readonly optional: true} | {readonly default: unknown} ? never : K;
}[keyof T];

/** The values of a table's options, complete. */
export type OptionValues<T extends OptionTable> = {readonly [K in Exclude<keyof T, OptionalKeys<T>>]: ValueOf<T[K]>} & {
	readonly [K in OptionalKeys<T>]?: ValueOf<T[K]>;
};

/** The same as somebody gives them: without defaults, and each as a value or as the words of a command line. */
export type GivenOptions<T extends OptionTable> = {readonly [K in NeededKeys<T>]: ValueOf<T[K]> | string} & {
	readonly [K in Exclude<keyof T, NeededKeys<T>>]?: ValueOf<T[K]> | string;
};
