import {errorTable} from '#support/errors';

/** What can be wrong with serving a debugger. */
export const debuggerError = errorTable({
	GDB_LISTEN_FAILED: (c: {where: string; reason: string}) => ({
		message: `The debugger's socket ${c.where} cannot be opened: ${c.reason}`,
		remedy: 'Choose another one with --gdb PORT, --gdb IP:PORT or --gdb unix:PATH',
	}),
});
