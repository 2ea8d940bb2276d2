import type {CreateOptions} from '#main/vm';
import {type ErrorData, isVmmError} from '#support/errors';
import {cliError} from './errors.ts';
import {statusOfError} from './exit-status.ts';
import type {Logger} from './logger.ts';
import {print, printable} from './print.ts';

/** Log message for a guest that can never go on; see `CreateOptions.stuck`. */
export const haltedForGood =
	'All processors have halted with interrupts off: only a reset or an NMI goes on from there';

/** Logs what happens to a machine's devices. */
export const logNotices =
	(log: Logger): NonNullable<CreateOptions['deviceNoticed']> =>
	({device, kind, level = 'warn', message, details}) =>
		log[level]({device, event: kind, ...details}, `${device}: ${message}`);

/** An error as one line: what happened, what to do, and the code to search for. */
export function errorLine({code, message, remedy}: ErrorData): string {
	const text = remedy === undefined ? `${message}.` : `${message}. ${remedy}.`;
	// A message may hold a path, and a path may hold anything.
	return `openvmm: ${printable(text.replace(/\.\.$/, '.'))} [${code}]\n`;
}

/** An error in its plain form. Anything but a VmmError is a bug of ours and becomes CLI_INTERNAL. */
export function asErrorData(caught: unknown): ErrorData {
	if (isVmmError(caught)) return caught.toData();
	const what = caught instanceof Error ? `${caught.name}: ${caught.message}` : String(caught);
	return cliError('CLI_INTERNAL', {what}).toData();
}

/**
 * Says on standard error why the process ends, and logs where in the code it was found.
 * @returns the status to end with
 */
export function reportError(caught: unknown, log?: Logger): number {
	const data = asErrorData(caught);
	print(2, errorLine(data));
	const stack = caught instanceof Error ? caught.stack : undefined;
	log?.debug({code: data.code, context: data.context, stack}, data.message);
	return statusOfError(data.code);
}
