import {type CreateVmOptions, nameOf, VM} from '#main/api';
import {longestTimerMs, type OperationSignal, untilAborted} from '#support/abort';
import {errorTable, isVmmError} from '#support/errors';
import {type DumpChoices, DumpFolder} from './dump.ts';
import {atEndOf, type TestLifetime} from './lifetime.ts';

/** A machine for a test, and what is kept of it when the test fails. */
export interface TestVmOptions extends CreateVmOptions, DumpChoices {
	/**
	 * Milliseconds that a test may take, the making of its machine included; `Infinity` for as long as it takes. If not given, 60 000 for the body of
	 * {@link withVm} alone, since the first machine has a kernel fetched, and any time for a test of {@link testVm}, which its runner limits. Some
	 * runners end a test that takes too long without a word of where its machine was.
	 */
	readonly limit?: number;
}

const usualLimitMs = 60_000;

const testError = errorTable({
	VM_TEST_LIMIT: (c: {name: string; ms: number}) => ({
		message: `The test of ${c.name} took longer than ${c.ms} ms`,
		remedy: 'Look at what its machine was at, or give it a longer limit',
	}),
	VM_TEST_ENDED: (c: {name: string}) => ({
		message: `The test of ${c.name} ended before its machine was ready`,
		remedy: 'Look at what its machine was at, or have the runner give the test more time',
	}),
});

/** A machine that a test is to get, and the time that the test has. */
class TestedMachine {
	readonly name: string;
	readonly folder: DumpFolder;
	readonly #options: CreateVmOptions;
	readonly #over = new AbortController();
	#timer: NodeJS.Timeout | undefined;

	/** @throws VmmError VM_OPTION_INVALID */
	constructor({limit, dumps, core, ...options}: TestVmOptions) {
		this.name = nameOf(options);
		this.folder = new DumpFolder(this.name, {dumps, core});
		this.#options = options;
		if (limit !== undefined) this.limit(limit);
	}

	/** Given up when the test's time is over, with the reason. */
	get over(): AbortSignal {
		return this.#over.signal;
	}

	get isLimited(): boolean {
		return this.#timer !== undefined;
	}

	/** Says how long the test may take from now. */
	limit(ms: number): void {
		const late = () => this.#over.abort(testError('VM_TEST_LIMIT', {name: this.name, ms}));
		this.#timer = setTimeout(late, Math.min(ms, longestTimerMs));
	}

	/** The test takes no longer. */
	end(): void {
		clearTimeout(this.#timer);
	}

	/** The test is over before it has its machine. */
	giveUp(): void {
		this.#over.abort(testError('VM_TEST_ENDED', {name: this.name}));
	}

	/** Makes it. One that does not come up is dumped before it ends. @throws VmmError as {@link VM.create}, VM_TEST_LIMIT, VM_TEST_ENDED */
	async create(): Promise<VM> {
		const {signal, machine, ...options} = this.#options;
		const either = signal === undefined ? this.over : AbortSignal.any([this.over, signal]);
		try {
			return await VM.create({
				...options,
				name: this.name,
				signal: either,
				machine: {...this.folder.crashDump, ...machine},
				unready: (vm, error) => this.folder.fill(vm, error),
			});
		} catch (error) {
			const isOver = isVmmError(error, 'OPERATION_ABORTED') && error.cause === this.over.reason;
			throw this.named(isOver ? error.cause : error);
		}
	}

	/** Where it is kept what the machine was at. */
	get keptAt(): string {
		return `What the machine was at is in ${this.folder.path}`;
	}

	/** The error as it was, since test runners look at what they have thrown, with the folder in its message if there is anything in it. */
	named(error: unknown): unknown {
		if (!this.folder.isFilled) return error;
		if (!(error instanceof Error)) return new Error(`${error}\n${this.keptAt}`, {cause: error});
		error.message += `\n${this.keptAt}`;
		return error;
	}
}

/**
 * Runs a test's body with a machine, which ends with it. When the machine does not come up, or the body fails or takes too long, what the machine was at
 * is written to a folder, which the error's message names.
 * @example
 * test('the kernel greets', () => withVm({boot: {kind: 'linux', kernel: 'kernel.elf', commandLine: []}}, async (vm) => {
 *   await vm.console.find(/hello, world/, {timeout: 5000});
 * }));
 * @throws whatever the body throws; VmmError as {@link VM.create}, VM_TEST_LIMIT
 */
export async function withVm<T>(
	options: TestVmOptions,
	body: (vm: VM, signal: OperationSignal) => Promise<T>,
): Promise<T> {
	const tested = new TestedMachine(options);
	await using folder = tested.folder;
	try {
		await using vm = await tested.create();
		if (!tested.isLimited) tested.limit(usualLimitMs);
		try {
			return await untilAborted(body(vm, tested.over), tested.over);
		} catch (error) {
			await folder.fill(vm, error);
			throw tested.named(error);
		}
	} finally {
		tested.end();
	}
}

/**
 * Makes a machine for a test of AVA's, Node.js's or Vitest's, which ends with the test. When the machine does not come up, or the test has failed or has
 * taken too long, what the machine was at is written to a folder, which the test's messages name; one that has taken too long has no machine any more.
 * @param test - the first parameter of the test's function
 * @throws VmmError as {@link VM.create}, VM_TEST_LIMIT
 */
export async function testVm(test: TestLifetime, options: TestVmOptions = {}): Promise<VM> {
	const tested = new TestedMachine(options);
	const {folder, over} = tested;
	const making = tested.create();
	let late: Promise<void> | undefined;
	let isReady = false;
	atEndOf(test, async ({hasFailed, error, tell}) => {
		tested.end();
		// The runner's own limit may be over first.
		if (!isReady) tested.giveUp();
		await using _ = folder;
		await using vm = await making.catch(() => undefined);
		if (late !== undefined) await late;
		else if (hasFailed && vm !== undefined) await folder.fill(vm, error);
		if (folder.isFilled) tell(late === undefined ? tested.keptAt : `${over.reason.message}. ${tested.keptAt}`);
	});
	const vm = await making;
	isReady = true;
	const end = async () => {
		await folder.fill(vm, over.reason).catch(() => {});
		// Whatever of the test waits for it fails.
		await vm[Symbol.asyncDispose]();
	};
	over.addEventListener('abort', () => {
		if (isVmmError(over.reason, 'VM_TEST_LIMIT')) late = end();
	});
	return vm;
}
