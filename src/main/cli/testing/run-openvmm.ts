import {type ChildProcess, type SpawnOptions, spawn} from 'node:child_process';
import {once} from 'node:events';
import {text} from 'node:stream/consumers';
import {fileURLToPath} from 'node:url';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));

/** The words that run openvmm from its sources. */
export const openvmmWords = (words: readonly string[]): readonly string[] => [
	'--disable-sigusr1',
	'--import=tsx',
	main,
	...words,
];

/** The same for a shell. */
export const openvmmLine = (words: string): string => `${process.execPath} ${openvmmWords([]).join(' ')} ${words}`;

/** Starts openvmm in a process of its own. */
export const startOpenvmm = (words: readonly string[], options: SpawnOptions): ChildProcess =>
	spawn(process.execPath, openvmmWords(words), options);

/** Runs openvmm to its end. @param runtime - folder under which machines have theirs */
export async function runOpenvmm(runtime: string, words: readonly string[], input = '') {
	const child = startOpenvmm(words, {env: {...process.env, XDG_RUNTIME_DIR: runtime}, stdio: 'pipe'});
	child.stdin?.on('error', () => {});
	child.stdin?.end(input);
	const [stdout, stderr] = await Promise.all([
		child.stdout ? text(child.stdout) : '',
		child.stderr ? text(child.stderr) : '',
		once(child, 'close'),
	]);
	return {stdout, stderr, status: child.exitCode};
}
