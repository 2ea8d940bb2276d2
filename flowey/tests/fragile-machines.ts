/** Runs test files on machines that die now and then: KVM inside an emulator. */

/** A machine that runs one file after another, or several at once. */
export interface FragileMachine<R> extends AsyncDisposable {
	/** Rejects with what {@link FragileRun.isDeath} recognises when the machine dies meanwhile. */
	run(file: string): Promise<R>;
}

/** Files to run, and the machines for them. */
export interface FragileRun<R> {
	readonly files: readonly string[];
	/** Files that share a machine at the same time, as long as none has died. */
	readonly concurrency: number;
	/** Starts a machine, for the first time or after one has died. */
	start(): Promise<FragileMachine<R>>;
	/** Tells the death of a machine from any other error, which ends the run. */
	isDeath(error: unknown): boolean;
	/**
	 * Says what about a result may be the machine's fault, such as a process that died. Such a file runs once more, alone on a
	 * fresh machine, and that result stands.
	 */
	doubt(result: R): string | undefined;
	/** Told of each death: the files that it cut off, and which of them are given up. */
	died(error: unknown, cutOff: readonly string[], givenUp: readonly string[]): void;
}

/** Results of the files. */
export interface FragileResult<R> {
	readonly results: readonly R[];
	/** Files that were cut off by the death of every machine they were given, and whose result nobody knows. */
	readonly notRun: readonly string[];
}

/** Machines that a file may use up, and machines that need not come up. */
const ATTEMPTS = 3;

/** With more files than this without a result, the others are not worth their time. */
export const MAX_NOT_RUN = 1;

/**
 * Runs every file to its end. When a machine dies, only what it cut off starts again, each file alone on its machine: one that
 * ran beside the cause is done then, and the cause names itself.
 */
export async function runOnFragileMachines<R>(run: FragileRun<R>): Promise<FragileResult<R>> {
	const results: R[] = [];
	const notRun: string[] = [];
	const cuts = new Map<string, number>();
	const doubted = new Set<string>();
	let waiting = [...run.files];
	let failedStarts = 0;
	while (waiting.length > 0 && notRun.length <= MAX_NOT_RUN && failedStarts < ATTEMPTS) {
		const again = waiting.filter((file) => cuts.has(file));
		const alone = again.length > 0;
		const taken = alone ? again.slice(0, 1) : waiting;
		const left = waiting.filter((file) => !taken.includes(file));
		const {cutOff, unstarted, error} = await runOnOne(run, taken, results, doubted);
		for (const file of cutOff) cuts.set(file, (cuts.get(file) ?? 0) + 1);
		const givenUp = cutOff.filter((file) => (cuts.get(file) ?? 0) >= ATTEMPTS);
		notRun.push(...givenUp);
		if (error !== undefined) {
			run.died(error, cutOff, givenUp);
			if (cutOff.length === 0) failedStarts++;
		}
		waiting = [...cutOff.filter((file) => !givenUp.includes(file)), ...unstarted, ...left];
	}
	return {results, notRun: [...notRun, ...waiting]};
}

/** Runs files on one machine until all are done, it dies, or it is in doubt. */
async function runOnOne<R>(run: FragileRun<R>, files: readonly string[], results: R[], doubted: Set<string>) {
	const unstarted = [...files];
	const cutOff: string[] = [];
	let death: unknown;
	const next = async (machine: FragileMachine<R>) => {
		while (death === undefined) {
			const file = unstarted.shift();
			if (file === undefined) return;
			try {
				const result = await machine.run(file);
				const doubt = doubted.has(file) ? undefined : run.doubt(result);
				if (doubt === undefined) {
					results.push(result);
				} else {
					doubted.add(file);
					cutOff.push(file);
					death ??= new Error(doubt);
				}
			} catch (error) {
				if (!run.isDeath(error)) throw error;
				cutOff.push(file);
				death = error;
			}
		}
	};
	try {
		await using machine = await run.start();
		await Promise.all(Array.from({length: run.concurrency}, () => next(machine)));
	} catch (error) {
		if (!run.isDeath(error)) throw error;
		// One that does not come up is no file's fault.
		death = error;
	}
	return {cutOff, unstarted, error: death};
}
