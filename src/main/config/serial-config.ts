/** Where a serial port's bytes go to and come from, as plain data. */
export type SerialBackendConfig =
	/** Nothing is attached. */
	| {readonly kind: 'none'}
	/** The process's terminal: output goes to `outputFd`; input comes from `inputFd`, or from who owns the machine. */
	| {readonly kind: 'console'; readonly outputFd: number; readonly inputFd?: number}
	/** Output to standard error. */
	| {readonly kind: 'stderr'}
	/** Output to a file, which is created or emptied. */
	| {readonly kind: 'file'; readonly path: string}
	/** A Unix socket that serves one client at a time. */
	| {readonly kind: 'listen-unix'; readonly path: string}
	/** The same on TCP; `host` is an IP literal. */
	| {readonly kind: 'listen-tcp'; readonly host: string; readonly port: number};
