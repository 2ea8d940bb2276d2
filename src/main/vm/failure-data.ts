import {type ErrorData, isVmmError} from '#support/errors';

/**
 * Gives the error that keeps a machine from going on, as data: an error of ours as it is, any other as a bug of this program in
 * `what`.
 */
export function failureData(cause: unknown, what: string): ErrorData {
	if (isVmmError(cause)) return cause.toData();
	const message = `${what}: ${cause instanceof Error ? cause.message : String(cause)}`;
	return {code: 'INTERNAL_ERROR', message, context: {stack: (cause as Error | undefined)?.stack}};
}
