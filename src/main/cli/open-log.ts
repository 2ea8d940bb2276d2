import {openSync} from 'node:fs';
import type {ProcessConfig} from '#main/config';
import {cliError} from './errors.ts';
import {type Logger, plainLogger} from './logger.ts';

/**
 * Opens the process's log: JSON lines by pino in the log file, or plain lines on standard error. pino costs
 * some 30 ms to load, half of Node's own start, so it is loaded only when a file asks for it.
 * @throws CLI_FILE_FAILED
 */
export async function openLog({logLevel, logFile}: ProcessConfig): Promise<Logger> {
	if (logFile === undefined) return plainLogger(logLevel);
	const fd = openForLog(logFile);
	// The default export, which is there in sources and in the bundle: pino is CommonJS.
	const {default: pino} = await import('pino');
	// Synchronous: a line that explains a crash must be in the file before the crash.
	const destination = pino.destination({dest: fd, sync: true});
	// A full disk costs lines, not the machine.
	destination.on('error', () => {});
	const log: Logger = pino({level: logLevel, base: {pid: process.pid}}, destination);
	return log;
}

function openForLog(path: string): number {
	try {
		return openSync(path, 'w');
	} catch (error) {
		const errno = (error as NodeJS.ErrnoException).code ?? String(error);
		throw cliError('CLI_FILE_FAILED', {option: '--log-file', path, errno}, {cause: error});
	}
}
