/** The files in a machine's folder. */
export const entryFiles = {
	/** Control socket. */
	socket: 'control.sock',
	/** Log of the console. */
	console: 'console.log',
} as const;
