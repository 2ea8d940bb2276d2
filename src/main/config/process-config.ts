import type {SymbolFile} from '#main/symbols';

/** Log levels, from most to least. */
export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** Least severe level that is logged. */
export type LogLevel = (typeof logLevels)[number];

/** Address where a debugger finds the machine. Whoever can connect controls the guest: there is no password. */
export type GdbAddress =
	/** An IP address, and a port; 0 lets the host choose. */
	{readonly kind: 'tcp'; readonly host: string; readonly port: number} | {readonly kind: 'unix'; readonly path: string};

/** Samples a second of each processor: the most, and where nobody says. */
export const sampleHz = {most: 1000, usual: 500} as const;

/** A profile of a guest that is to be in a file, in the format of speedscope. */
export interface ProfileRequest {
	readonly path: string;
	/** Samples a second of each processor, see {@link sampleHz}. */
	readonly hz?: number;
	/** Symbols beside those that a Linux kernel has in its memory. */
	readonly symbols?: readonly SymbolFile[];
}

/** Configuration of the process that hosts the machine: one process may host many machines, but has one log and one pid file. */
export interface ProcessConfig {
	readonly logLevel: LogLevel;
	/** File for JSON log lines; overwritten at start. Without it, warnings go to stderr. */
	readonly logFile?: string;
	/** Holds the process id while the process runs. */
	readonly pidFile?: string;
	/** Name of the machine. */
	readonly name?: string;
	/** Path of the control socket, or `none`; without it one in the user's own directory. */
	readonly controlSocket?: string;
	/** Address where a debugger may attach. */
	readonly gdb?: GdbAddress;
	/** Profile of the guest, from its first instruction to the machine's end. */
	readonly profile?: ProfileRequest;
	/** Guest code is compared, as it runs, with what the interpreter does. */
	readonly lockstep?: true;
}
