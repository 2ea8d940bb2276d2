/** How much is logged, from most to least. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** How much is logged. */
export type LogLevel = (typeof logLevels)[number];

/** Where a debugger finds the machine. Whoever can connect controls the guest: there is no password. */
export type GdbAddress =
	/** An IP address, and a port; 0 lets the host choose. */
	{readonly kind: 'tcp'; readonly host: string; readonly port: number} | {readonly kind: 'unix'; readonly path: string};

/**
 * What belongs to the process that hosts the machine rather than to the machine: one process may host
 * many machines, but has one log and one pid file.
 */
export interface ProcessConfig {
	readonly logLevel: LogLevel;
	/** Where JSON log lines go; overwritten at start. Without it, warnings go to stderr. */
	readonly logFile?: string;
	/** Holds the process id while the process runs. */
	readonly pidFile?: string;
	/** What the machine is called. */
	readonly name?: string;
	/** Path of the control socket, or `none`; without it one in the user's own directory. */
	readonly controlSocket?: string;
	/** Where a debugger may attach. */
	readonly gdb?: GdbAddress;
}
