import {configError} from './errors.ts';
import type {GuestAction, GuestActions} from './vm-config.ts';

/**
 * Parses a guest action: `reset`, `halt`, `exit` (status 0) or `exit:STATUS`.
 * @throws CONFIG_VALUE_INVALID, also for a status above 255
 */
export function parseGuestAction(text: string, option: string): GuestAction {
	if (text === 'reset' || text === 'halt') return text;
	const match = /^exit(?::(\d{1,3}))?$/.exec(text);
	const status = Number(match?.[1] ?? 0);
	if (!match || status > 255) {
		throw configError('CONFIG_VALUE_INVALID', {
			option,
			value: text,
			expected: 'reset, halt, exit or exit:STATUS with a status from 0 to 255',
		});
	}
	return {exit: status};
}

/** The same for a guest that has halted for good, where `none` leaves it as it is. @throws CONFIG_VALUE_INVALID */
export const parseHaltAction = (text: string, option: string): GuestActions['halt'] =>
	text === 'none' ? text : parseGuestAction(text, option);
