/** Runs the tools that nodes are built on. */

import {type SpawnOptions, spawn} from 'node:child_process';

/** End of a tool. */
export interface Execution {
	readonly status: number;
	readonly stdout: string;
	readonly stderr: string;
}

/** Surroundings of a tool, and receivers of its output. */
export interface ExecuteOptions {
	readonly cwd?: string;
	readonly env?: NodeJS.ProcessEnv;
	/** Called for each piece of stdout as it comes. */
	readonly onStdout?: (chunk: Buffer) => void;
	/** Called for each piece of stderr as it comes. */
	readonly onStderr?: (chunk: Buffer) => void;
}

/** Runs `command` to its end, keeping what it wrote; a missing program gives status 127. */
export function execute(command: string, words: readonly string[], options: ExecuteOptions = {}): Promise<Execution> {
	const spawnOptions: SpawnOptions = {stdio: ['ignore', 'pipe', 'pipe']};
	if (options.cwd !== undefined) {
		spawnOptions.cwd = options.cwd;
	}
	if (options.env !== undefined) {
		spawnOptions.env = options.env;
	}
	return new Promise((resolve, reject) => {
		const child = spawn(command, words, spawnOptions);
		const stdout: Buffer[] = [];
		const stderr: Buffer[] = [];
		child.stdout?.on('data', (chunk: Buffer) => {
			stdout.push(chunk);
			options.onStdout?.(chunk);
		});
		child.stderr?.on('data', (chunk: Buffer) => {
			stderr.push(chunk);
			options.onStderr?.(chunk);
		});
		child.on('error', (error: NodeJS.ErrnoException) => {
			if (error.code === 'ENOENT') {
				resolve({status: 127, stdout: '', stderr: `${command}: not found`});
			} else {
				reject(error);
			}
		});
		child.on('close', (code) =>
			resolve({
				status: code ?? 1,
				stdout: Buffer.concat(stdout).toString(),
				stderr: Buffer.concat(stderr).toString(),
			}),
		);
	});
}
