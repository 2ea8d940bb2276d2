import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {commandStatuses} from './guest-command.ts';
import {print, printBytes} from './print.ts';

/** Tells the process that it is the one in the background. */
const variable = 'OPENVMM_DETACHED';

/** True in the process that goes on in the background. */
export const isDetached = (env: Readonly<Record<string, string | undefined>>): boolean =>
	env[variable] === '1' && process.send !== undefined;

/** Tells the process that waits that the machine runs. From then on nobody hears what this one says. */
export function tellReady(name: string): void {
	process.send?.({ready: name});
	process.disconnect();
}

/**
 * Runs this program's words again in a process of its own, which goes on when this one has ended.
 * @returns 0 when it runs, with its name printed; else its status, with what it has said
 */
export async function detach(): Promise<number> {
	const [, script = '', ...words] = process.argv;
	const child = spawn(process.execPath, [...process.execArgv, script, ...words], {
		detached: true,
		stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
		env: {...process.env, [variable]: '1'},
	});
	child.stderr?.on('data', (bytes: Buffer) => printBytes(2, bytes));
	const ready = once(child, 'message').then(([message]) => message as {ready: string});
	const ended = once(child, 'close').then(([status]) => (status as number | null) ?? commandStatuses.failed);
	const came = await Promise.race([ready, ended]);
	if (typeof came === 'number') return came;
	print(1, `${came.ready}\n`);
	child.stderr?.destroy();
	child.unref();
	return 0;
}
