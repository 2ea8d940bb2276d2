import {type CreateVmOptions, VM} from '#main/api';
import {longestTimerMs, type OperationSignal, untilAborted} from '#support/abort';
import {errorTable} from '#support/errors';
import {type DumpChoices, writeDump} from './dump.ts';
import {atEndOf, type TestLifetime} from './lifetime.ts';

/** A machine for a test, and what is kept of it when the test fails. */
export interface TestVmOptions extends CreateVmOptions, DumpChoices {
	/**
	 * Milliseconds that a test may take: 60 000 for the body of {@link withVm} and any time for a test of {@link testVm}, which its runner limits, if not
	 * given; `Infinity` for as long as it takes. Some runners end a test that takes too long without a word of where its machine was.
	 */
	readonly limit?: number;
}

const usualLimitMs = 60_000;

const testError = errorTable({
	VM_TEST_LIMIT: (c: {name: string; ms: number}) => ({
		message: `The test of ${c.name} took longer than ${c.ms} ms`,
		remedy: 'Look at what its machine was at, or give it a longer limit',
	}),
});

/**
 * Runs a test's body with a machine, which ends with it. When the body fails or takes too long, what the machine was at is written to a folder, which
 * the error's message names.
 * @example
 * test('the kernel greets', () => withVm({boot: {kind: 'linux', kernel: 'kernel.elf', commandLine: []}}, async (vm) => {
 *   await vm.console.find(/hello, world/, {timeout: 5000});
 * }));
 * @throws whatever the body throws; VmmError VM_TEST_LIMIT
 */
export async function withVm<T>(
	{limit = usualLimitMs, dumps, core, ...options}: TestVmOptions,
	body: (vm: VM, signal: OperationSignal) => Promise<T>,
): Promise<T> {
	await using vm = await VM.create(options);
	const over = new AbortController();
	const end = () => over.abort(testError('VM_TEST_LIMIT', {name: vm.name, ms: limit}));
	const timer = setTimeout(end, Math.min(limit, longestTimerMs));
	try {
		return await untilAborted(body(vm, over.signal), over.signal);
	} catch (error) {
		throw named(error, await writeDump(vm, error, {dumps, core}));
	} finally {
		clearTimeout(timer);
	}
}

/**
 * Makes a machine for a test of AVA's, Node.js's or Vitest's, which ends with the test. When the test has failed or has taken too long, what the machine
 * was at is written to a folder, which the test's messages name; one that has taken too long has no machine any more.
 * @param test - the first parameter of the test's function
 * @throws VmmError as {@link VM.create}
 */
export async function testVm(test: TestLifetime, {limit, dumps, core, ...options}: TestVmOptions = {}): Promise<VM> {
	const vm = await VM.create(options);
	let late: Promise<string> | undefined;
	const end = async (ms: number) => {
		const error = testError('VM_TEST_LIMIT', {name: vm.name, ms});
		late = writeDump(vm, error, {dumps, core}).then((folder) => `${error.message}. ${keptAt(folder)}`);
		await late.catch(() => {});
		// Whatever of the test waits for it fails.
		await vm[Symbol.asyncDispose]();
	};
	const timer = limit !== undefined && setTimeout(() => void end(limit), Math.min(limit, longestTimerMs));
	atEndOf(test, async ({hasFailed, error, tell}) => {
		if (timer !== false) clearTimeout(timer);
		try {
			if (late !== undefined) tell(await late);
			else if (hasFailed) tell(keptAt(await writeDump(vm, error, {dumps, core})));
		} finally {
			await vm[Symbol.asyncDispose]();
		}
	});
	return vm;
}

const keptAt = (folder: string): string => `What the machine was at is in ${folder}`;

/** The error as it was, since test runners look at what they have thrown, with the folder in its message. */
function named(error: unknown, folder: string): unknown {
	if (!(error instanceof Error)) return new Error(`${error}\n${keptAt(folder)}`, {cause: error});
	error.message += `\n${keptAt(folder)}`;
	return error;
}
