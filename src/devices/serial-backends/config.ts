/** Other end of a serial port's bytes, as plain data. */
export type SerialBackendConfig =
	/** Nothing is attached: output is discarded, the modem lines stay low. */
	| {readonly kind: 'none'}
	/**
	 * The process's terminal: output goes to `outputFd`; input arrives through {@link SerialBackend.feed} and, when it
	 * is given, from `inputFd` (a pipe or file; the owner of a terminal feeds). The descriptors stay the caller's.
	 * Output is also in the {@link ConsoleLog} at `log`, where that is given.
	 */
	| {readonly kind: 'console'; readonly outputFd: number; readonly inputFd?: number; readonly log?: string}
	/** Output to the process's standard error; no input. */
	| {readonly kind: 'stderr'}
	/** Output to a file, which is created or emptied, as OpenVMM does; no input. */
	| {readonly kind: 'file'; readonly path: string}
	/** A Unix socket that serves one client at a time; output is discarded while nobody is connected. */
	| {readonly kind: 'listen-unix'; readonly path: string}
	/** The same on TCP; `host` is an IP literal. */
	| {readonly kind: 'listen-tcp'; readonly host: string; readonly port: number};
