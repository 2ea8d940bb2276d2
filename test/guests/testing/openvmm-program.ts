import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {join} from 'node:path';
import {text} from 'node:stream/consumers';

/** What openvmm said, and how it ended. */
export interface ProgramResult {
	readonly stdout: string;
	readonly stderr: string;
	readonly status: number | null;
}

/** The program as users start it: the launcher, which runs the build when there is one. */
export function openvmmProgram(env: NodeJS.ProcessEnv) {
	const launcher = join(process.cwd(), 'src/main/cli/launcher.mjs');
	return async (
		words: readonly string[],
		{input = '', env: more = {}}: {readonly input?: string; readonly env?: NodeJS.ProcessEnv} = {},
	): Promise<ProgramResult> => {
		const child = spawn(process.execPath, [launcher, ...words], {env: {...env, ...more}, stdio: 'pipe'});
		child.stdin.on('error', () => {});
		child.stdin.end(input);
		const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
		return {stdout, stderr, status: child.exitCode};
	};
}
