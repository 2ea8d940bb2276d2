import {errorTable} from '#support/errors';

/** A value that a person or a program gave, and where: `--memory`, `debugcon port`. */
export interface Named {
	readonly option: string;
}

/** A path among such values. */
export interface NamedPath extends Named {
	readonly path: string;
}

/** Faults of one value, whatever it is for. */
export const optionMessages = {
	CONFIG_VALUE_INVALID: (c: Named & {value: string; expected: string}) => ({
		message: `${c.option} "${c.value}" is not valid`,
		remedy: `Give ${c.expected}`,
	}),
	CONFIG_VALUE_MISSING: (c: Named & {expected: string}) => ({
		message: `${c.option} is missing`,
		remedy: `Give ${c.expected}`,
	}),
	CONFIG_KEY_UNKNOWN: (c: Named & {key: string; allowed: readonly string[]}) => ({
		message: `${c.option} has no key "${c.key}"`,
		remedy: c.allowed.length === 0 ? `${c.option} has no keys at all` : `Allowed keys: ${c.allowed.join(', ')}`,
	}),
	CONFIG_KEY_REPEATED: (c: Named & {key: string}) => ({
		message: `${c.option} gives "${c.key}" twice`,
		remedy: `Give "${c.key}" once`,
	}),
	CONFIG_REQUIRES: (c: Named & {first: string; needed: string}) => ({
		message: `${c.option}: ${c.first} needs ${c.needed}`,
		remedy: `Add ${c.needed}, or leave out ${c.first}`,
	}),
	CONFIG_NUMBER_RANGE: (c: Named & {value: number; min: number; max: number}) => ({
		message: `${c.option} ${c.value} is out of range`,
		remedy: `Give a whole number from ${c.min} to ${c.max}`,
	}),
	CONFIG_PATH_MISSING: (c: NamedPath & {parent: string; found: string}) => ({
		message:
			c.found === 'directory'
				? `${c.option} "${c.path}" does not exist`
				: `${c.option} "${c.path}" does not exist: "${c.parent}" is a ${c.found}, not a directory`,
		remedy: 'Check the path',
	}),
	CONFIG_PATH_UNREACHABLE: (c: NamedPath & {errno: string}) => ({
		message: `${c.option} "${c.path}" cannot be reached: ${c.errno}`,
		remedy: 'Check the path and the permissions of its directories',
	}),
	CONFIG_PATH_EMPTY: (c: Named) => ({
		message: `${c.option} names no file`,
		remedy: `Give a path, or leave out ${c.option}`,
	}),
	CONFIG_PATH_NOT_FILE: (c: NamedPath & {found: string}) => ({
		message: `${c.option} "${c.path}" is a ${c.found}, not a file`,
		remedy: 'Name a regular file',
	}),
	CONFIG_PATH_NOT_SOCKET: (c: NamedPath & {found: string}) => ({
		message: `${c.option} "${c.path}" exists and is a ${c.found}, not a socket`,
		remedy: 'Name a path that is free, or remove what is there',
	}),
	CONFIG_PATH_NOT_FOLDER: (c: NamedPath & {found: string}) => ({
		message: `${c.option} "${c.path}" is a ${c.found}, not a directory`,
		remedy: 'Name a directory',
	}),
	CONFIG_PATH_PARENT: (c: NamedPath & {parent: string; found: string}) => ({
		message:
			c.found === 'missing'
				? `${c.option} "${c.path}" cannot be made: the directory "${c.parent}" does not exist`
				: `${c.option} "${c.path}" cannot be made: "${c.parent}" is a ${c.found}, not a directory`,
		remedy: c.found === 'missing' ? `Make it first: mkdir -p '${c.parent}'` : 'Name a path inside a directory',
	}),
	CONFIG_PATH_DENIED: (c: NamedPath & {access: 'read' | 'write'; denied: string}) => ({
		message: `${c.option} "${c.path}" cannot be ${c.access === 'read' ? 'read' : 'written'}: no permission on "${c.denied}"`,
		remedy: 'Change its permissions, or run as a user who has them',
	}),
} as const;

/** Makes the errors of {@link optionMessages}. */
export const optionError = errorTable(optionMessages);
