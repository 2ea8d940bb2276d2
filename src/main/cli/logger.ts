import {writeSync} from 'node:fs';
import type {LogLevel} from '#main/config';

/** One level's method: a message, or fields and a message, as pino takes them. */
export interface LogMethod {
	(message: string): void;
	(fields: object, message: string): void;
}

/** Log of a machine's parts. A pino logger is one. */
export interface Logger {
	/** Least severe level that is logged from now on. */
	level: string;
	readonly trace: LogMethod;
	readonly debug: LogMethod;
	readonly info: LogMethod;
	readonly warn: LogMethod;
	readonly error: LogMethod;
	/** A logger whose lines all carry these fields. */
	child(fields: object): Logger;
}

const severities = {trace: 10, debug: 20, info: 30, warn: 40, error: 50, silent: 100} as const satisfies Record<
	LogLevel,
	number
>;

/** A logger for a person: one line per message, fields as `key=value` behind it. */
export const plainLogger = (level: LogLevel, write: (line: string) => void = toStandardError): Logger =>
	plainChild({level}, write, {});

/** @param shared - the level of a logger and all its children */
function plainChild(shared: {level: LogLevel}, write: (line: string) => void, fixed: object): Logger {
	const method = (name: Exclude<LogLevel, 'silent'>): LogMethod => {
		return (first: object | string, message?: string) => {
			if (severities[name] < severities[shared.level]) return;
			const fields = {...fixed, ...(typeof first === 'string' ? {} : first)};
			const text = typeof first === 'string' ? first : (message ?? '');
			write(`openvmm: ${name}: ${[text, ...Object.entries(fields).map(formatField)].join(' ')}\n`);
		};
	};
	return {
		get level() {
			return shared.level;
		},
		set level(level) {
			shared.level = level as LogLevel;
		},
		trace: method('trace'),
		debug: method('debug'),
		info: method('info'),
		warn: method('warn'),
		error: method('error'),
		child: (fields) => plainChild(shared, write, {...fixed, ...fields}),
	};
}

function formatField([key, value]: [string, unknown]): string {
	return `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
}

/** Logging must never end the machine: a closed or full standard error loses the line. */
function toStandardError(line: string): void {
	try {
		writeSync(2, line);
	} catch {}
}
