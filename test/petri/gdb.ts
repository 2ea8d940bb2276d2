import {spawn} from 'node:child_process';
import {existsSync} from 'node:fs';

const gdb = '/usr/bin/gdb';

/** A session that waits for ever fails with what it has said, before the test runs into its own limit. */
const limitMs = 500_000;

/** The real debugger is there to test with. */
export const hasGdb: boolean = existsSync(gdb);

/** A debugger at work. */
export interface RunningGdb {
	/** Its output so far. */
	readonly output: string;
	/** Resolves when its output has come to this; rejects when it ends before. */
	waitFor(pattern: RegExp): Promise<void>;
	/** Resolves when this holds; rejects when the debugger ends before. */
	until(holds: () => boolean): Promise<void>;
	/** As the user presses Ctrl-C. */
	interrupt(): void;
	/** All it prints, once it has ended. */
	readonly ended: Promise<string>;
}

/** Starts the real debugger with these commands, one after the other; it ends after the last. */
export function startGdb(commands: readonly string[]): RunningGdb {
	const setUp = ['set pagination off', 'set confirm off', 'set remotetimeout 60', 'set tcp connect-timeout 60'];
	const words = [...setUp, ...commands].flatMap((command) => ['-ex', command]);
	const child = spawn(gdb, ['-nx', '-batch', ...words], {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: {...process.env, HOME: '/tmp'},
	});
	let output = '';
	const collect = (bytes: Buffer) => {
		output += bytes.toString();
	};
	child.stdout.on('data', collect);
	child.stderr.on('data', collect);
	let over = false;
	const limit = setTimeout(() => child.kill('SIGKILL'), limitMs);
	const ended = new Promise<string>((resolve, reject) => {
		child.once('error', reject);
		child.once('close', () => {
			over = true;
			clearTimeout(limit);
			resolve(output);
		});
	});
	const until = async (holds: () => boolean) => {
		while (!holds()) {
			if (over) throw new Error(`gdb ended too early:\n${output}`);
			await new Promise((resolve) => setTimeout(resolve, 20));
		}
	};
	return {
		until,
		get output() {
			return output;
		},
		ended,
		interrupt: () => void child.kill('SIGINT'),
		waitFor: (pattern) => until(() => pattern.test(output)),
	};
}
