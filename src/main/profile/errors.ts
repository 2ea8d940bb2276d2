import {errorTable} from '#support/errors';

/** Errors of profiles. */
export const profileError = errorTable({
	PROFILE_FAILED: (c: {path: string; errno: string}) => ({
		message: `The profile "${c.path}" could not be written: ${c.errno}`,
		remedy: 'Name a file in a directory that exists, may be written to and has room',
	}),
	PROFILE_RATE: (c: {hz: number; most: number}) => ({
		message: `A profile cannot have ${c.hz} samples a second`,
		remedy: `Ask for 1 to ${c.most}`,
	}),
});
