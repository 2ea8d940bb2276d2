import {errorTable} from '#support/errors';

/** Errors of a core dump. */
export const coreDumpError = errorTable({
	CORE_DUMP_FAILED: (c: {path: string; errno: string}) => ({
		message: `The core dump "${c.path}" could not be written: ${c.errno}`,
		remedy:
			c.errno === 'ENOSPC'
				? "Make room on that disk: a dump takes as much as the guest's memory that is not zero"
				: 'Name a file in a directory that exists and may be written to',
	}),
});
