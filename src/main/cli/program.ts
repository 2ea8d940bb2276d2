import type {Worker} from 'node:worker_threads';
import type {Operation} from '#main/operations';
import {printVersion} from './print.ts';
import type {Environment} from './to-config.ts';

/**
 * The whole of `openvmm`. What a command does not need is not loaded: start-up time is a feature.
 * @param first - a thread for a vCPU that has been started already
 * @param operations - what may be asked of a running machine
 * @returns the status to end the process with
 */
export async function program(
	words: readonly string[],
	env: Environment,
	first?: Worker,
	operations?: readonly Operation[],
): Promise<number> {
	// The version alone is told without knowing a flag: flags come from the devices, which are most of what there is to load.
	const [word] = words;
	if (words.length === 1 && (word === '--version' || word === '-V')) return printVersion();
	const {obey} = await import('./command-line.ts');
	return obey(words, env, first, operations);
}
