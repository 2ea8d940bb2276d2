import {errorTable, isVmmError, type VmmError} from '#support/errors';
import {failureData} from './failure-data.ts';
import type {VmEnd} from './vm-end.ts';

const tearDownError = errorTable({
	VM_STOP_INCOMPLETE: (c: {parts: readonly string[]; seconds: number}) => ({
		message: `The machine is over, but this has not come back within ${c.seconds} s: ${c.parts.join(', ')}`,
		remedy:
			'What it uses is kept until the process ends. A device of your own may hang: `openvmm inspect NAME vm/reactor` shows it',
	}),
});

/** A part of a machine's end. */
export interface TearDownStep {
	/** Name for a person. */
	readonly name: string;
	run(): void | Promise<void>;
	/** Time it may take, if not as long as the others. */
	readonly limitMs?: number;
	/** A number that changes whenever a part of it is done, from which on it may take that time again. */
	readonly progress?: () => number;
	/** Must not be done while a step before it hangs: a thread still uses what it gives back. */
	readonly needsAll?: true;
}

/**
 * Does every step, whatever comes of those before it, and none for longer than a limit.
 * @returns the end, or what went wrong where nothing worse is known
 */
export async function tearDown(end: VmEnd, steps: readonly TearDownStep[], stepMs: number): Promise<VmEnd> {
	const hanging: string[] = [];
	const problems: unknown[] = [];
	for (const {name, run, needsAll = false, limitMs: ownMs = stepMs, progress} of steps) {
		if (needsAll && hanging.length > 0) continue;
		try {
			if ((await within(run(), ownMs, progress)) === 'late') hanging.push(name);
		} catch (cause) {
			problems.push(cause);
			if (stillAtWork.some((code) => isVmmError(cause, code))) hanging.push(name);
		}
	}
	const whole = wholeEnd(end, problems, hanging, stepMs);
	return whole.kind === 'error' && hanging.length > 0 ? {...whole, hanging} : whole;
}

function wholeEnd(end: VmEnd, problems: readonly unknown[], hanging: readonly string[], stepMs: number): VmEnd {
	if (end.kind === 'error') return end;
	if (problems.length > 0) return {kind: 'error', error: failureData(problems[0], 'The machine could not be stopped')};
	return hanging.length > 0 ? {kind: 'error', error: incomplete(hanging, stepMs).toData()} : end;
}

/** Failures after which something may still use what the machine has. */
const stillAtWork = ['VM_DEVICES_HUNG', 'VM_NOT_AT_REST', 'DEVICE_STOP_TIMEOUT'] as const;

const incomplete = (parts: readonly string[], stepMs: number): VmmError =>
	tearDownError('VM_STOP_INCOMPLETE', {parts, seconds: stepMs / 1000});

/**
 * Waits for work that cannot be given up: `late` when it is not done in time.
 * @param progress - see {@link TearDownStep.progress}
 */
export async function within(
	work: Promise<void> | void,
	ms: number,
	progress: () => number = () => 0,
): Promise<'late' | undefined> {
	const running = Promise.resolve(work).then(() => undefined);
	// Nobody waits for one that fails after its limit.
	running.catch(() => {});
	for (let done = progress(); ; ) {
		if ((await firstOf(running, ms)) === undefined) return undefined;
		const now = progress();
		if (now === done) return 'late';
		done = now;
	}
}

async function firstOf(running: Promise<undefined>, ms: number): Promise<'late' | undefined> {
	const {promise, resolve} = Promise.withResolvers<'late'>();
	const timer = setTimeout(resolve, ms, 'late');
	try {
		return await Promise.race([running, promise]);
	} finally {
		clearTimeout(timer);
	}
}
