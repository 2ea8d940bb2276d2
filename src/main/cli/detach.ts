import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {commandStatuses} from './guest-command.ts';
import {print, printBytes} from './print.ts';
import {betweenMs, ProgressLine} from './progress-line.ts';

/** Tells the process that it is the one in the background. */
const variable = 'OPENVMM_DETACHED';

/** True in the process that goes on in the background. */
export const isDetached = (env: Readonly<Record<string, string | undefined>>): boolean =>
	env[variable] === '1' && process.send !== undefined;

/** What the process in the background tells the one that waits for it. */
type Told = {readonly ready: string} | {readonly step: string; readonly done: number; readonly total: number};

/** The process that waits for this one in the background. */
export interface Waiting {
	/** Tells it how far the machine is. */
	progress(step: string, done: number, total: number): void;
	/** Tells it that the machine runs. From then on nobody hears what this one says. */
	ready(name: string): void;
}

/** The process that waits for this one. */
export function whoWaits(): Waiting {
	let [last, told] = [0, ''];
	const tell = (what: Told) => process.connected && process.send?.(what);
	return {
		progress(step, done, total) {
			const now = performance.now();
			if (step === told && now - last < betweenMs) return;
			[last, told] = [now, step];
			tell({step, done, total});
		},
		ready(name) {
			tell({ready: name});
			process.disconnect();
		},
	};
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
	const line = new ProgressLine();
	child.stderr?.on('data', (bytes: Buffer) => {
		line.clear();
		printBytes(2, bytes);
	});
	const ready = new Promise<string>((resolve) => {
		child.on('message', (told: Told) => {
			if ('ready' in told) resolve(told.ready);
			else line.update(told.step, told.done, told.total);
		});
	});
	const ended = once(child, 'close').then(([status]) => (status as number | null) ?? commandStatuses.failed);
	const came = await Promise.race([ready, ended]).finally(() => line.clear());
	if (typeof came === 'number') return came;
	print(1, `${came}\n`);
	child.stderr?.destroy();
	child.unref();
	return 0;
}
