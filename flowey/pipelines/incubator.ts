/** A command in the incubator, from the shell. */

import {parseArgs} from 'node:util';
import {DEFAULT_PROCESSORS, type Incubator, startIncubator} from '#test/incubator';
import {type Command, runNode, WordsError} from '../core/index.ts';
import {prepareIncubator} from '../nodes/prepare-incubator.ts';

const DEFAULT_MINUTES = 30;

/** Request to `incubator`. */
export interface IncubatorRequest {
	readonly processors: number;
	readonly memoryMib: number;
	readonly timeoutMs: number;
	readonly terminal: boolean;
	readonly argv: readonly string[];
}

/** Runs one command in an incubator of its own. */
export const incubatorCommand: Command = {
	name: 'incubator',
	usage: '[--smp N] [--memory SIZE] [--minutes N] [--terminal] [--] command...',
	summary: 'Run a command on emulated hardware that has KVM: same files (read-only but .build and /tmp), same folder',
	async run(words) {
		const request = parseIncubatorWords(words);
		await runNode(prepareIncubator, {mayInstall: false});
		return runInIncubator(request);
	},
};

/** Reads the words after `incubator`; throws {@link WordsError} on a wrong one. */
export function parseIncubatorWords(words: readonly string[]): IncubatorRequest {
	const {own, argv} = splitAtCommand(words);
	if (argv.length === 0) {
		throw new WordsError('No command to run', 'Give it last: flowey incubator -- ls /dev/kvm');
	}
	const {values} = parseArgs({
		args: own,
		options: {
			smp: {type: 'string', default: String(DEFAULT_PROCESSORS)},
			memory: {type: 'string', default: '6G'},
			minutes: {type: 'string', default: String(DEFAULT_MINUTES)},
			terminal: {type: 'boolean', default: false},
		},
	});
	return {
		processors: positive('--smp', values.smp),
		memoryMib: parseMib(values.memory),
		timeoutMs: positive('--minutes', values.minutes) * 60_000,
		terminal: values.terminal,
		argv,
	};
}

/** The two dashes are optional, because npm takes the first ones for itself. */
function splitAtCommand(words: readonly string[]): {own: string[]; argv: string[]} {
	let at = 0;
	for (let word = words[at]; word?.startsWith('--') && word !== '--'; word = words[at]) {
		at += word.includes('=') || word === '--terminal' ? 1 : 2;
	}
	return {own: words.slice(0, at), argv: words.slice(words[at] === '--' ? at + 1 : at)};
}

/** Boots, runs the command with this process's streams, and returns its status. */
export async function runInIncubator(request: IncubatorRequest): Promise<number> {
	const {processors, memoryMib, timeoutMs, argv} = request;
	await using incubator = await startIncubator({processors, memoryMib});
	process.stderr.write(`incubator: up (${(incubator.bootMs / 1000).toFixed(2)} s)\n`);
	const terminal = request.terminal && process.stdin.isTTY && process.stdout.isTTY;
	const result = await (terminal ? onOwnTerminal(incubator, argv, timeoutMs) : onPipes(incubator, argv, timeoutMs));
	if (result.timedOut) {
		process.stderr.write(`incubator: the command was ended after ${timeoutMs / 60_000} minutes\n`);
	}
	return result.status;
}

async function onPipes(incubator: Incubator, argv: readonly string[], timeoutMs: number) {
	const controller = new AbortController();
	const abort = () => controller.abort();
	process.once('SIGINT', abort);
	process.once('SIGTERM', abort);
	try {
		return await incubator.run(argv, {
			timeoutMs,
			abort: controller.signal,
			// A terminal as input would keep this process waiting for a key after the command has ended.
			...(process.stdin.isTTY ? {} : {stdin: process.stdin}),
			onStdout: (chunk) => process.stdout.write(chunk),
			onStderr: (chunk) => process.stderr.write(chunk),
		});
	} finally {
		process.off('SIGINT', abort);
		process.off('SIGTERM', abort);
		process.stdin.destroy();
	}
}

async function onOwnTerminal(incubator: Incubator, argv: readonly string[], timeoutMs: number) {
	process.stdin.setRawMode(true);
	try {
		return await incubator.run(argv, {
			timeoutMs,
			env: {TERM: process.env['TERM'] ?? 'linux'},
			terminal: {columns: process.stdout.columns, rows: process.stdout.rows},
			stdin: process.stdin,
			onStdout: (chunk) => process.stdout.write(chunk),
			onStderr: (chunk) => process.stderr.write(chunk),
		});
	} finally {
		process.stdin.setRawMode(false);
		process.stdin.destroy();
	}
}

/** A size such as 512M or 4G, in MiB. */
export function parseMib(text: string): number {
	const match = /^([1-9]\d*)([MG])$/.exec(text);
	if (match === null) {
		throw new WordsError(`--memory ${text} is not a size`, 'Write it like 512M or 4G.');
	}
	return Number(match[1]) * (match[2] === 'G' ? 1024 : 1);
}

function positive(flag: string, text: string): number {
	const value = Number(text);
	if (!Number.isInteger(value) || value < 1) {
		throw new WordsError(`${flag} ${text} is not a positive number`, `Write it like ${flag} 2.`);
	}
	return value;
}
