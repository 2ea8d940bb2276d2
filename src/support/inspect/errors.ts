import {errorTable} from '#support/errors';

/** `path` is what was asked for, as it was written. */
export const inspectError = errorTable({
	INSPECT_PATH_NOT_FOUND: (c: {path: string; parent: string; name: string; suggestion: string | undefined}) => ({
		message: `There is no "${c.name}" in ${c.parent === '' ? 'the tree' : `"${c.parent}"`}`,
		remedy:
			c.suggestion === undefined ? `See "inspect ${c.parent}" for what is there` : `Did you mean ${c.suggestion}?`,
	}),
	INSPECT_PATH_BELOW_VALUE: (c: {path: string; value: string}) => ({
		message: `"${c.value}" is a value, there is nothing below it`,
		remedy: `Ask for "${c.value}"`,
	}),
	INSPECT_READ_ONLY: (c: {path: string; what: string}) => ({
		message: `"${c.path}" is ${c.what} and cannot be written`,
		remedy: 'What can be written is marked so when it is shown',
	}),
	INSPECT_VALUE_INVALID: (c: {path: string; value: string; expected: string}) => ({
		message: `"${c.path}" cannot be "${c.value}"`,
		remedy: `Give it ${c.expected}`,
	}),
	INSPECT_NO_ANSWER: (c: {path: string; timeoutMs: number}) => ({
		message: `The owner of "${c.path}" did not answer within ${c.timeoutMs} ms`,
		remedy: 'Its thread is busy or hangs: see vm/workers',
	}),
});
