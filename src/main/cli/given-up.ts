const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Does work that signals give up. */
export async function givenUpBySignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
	const controller = new AbortController();
	const stop = (signal: NodeJS.Signals) => controller.abort(new Error(signal));
	for (const signal of signals) process.on(signal, stop);
	try {
		return await work(controller.signal);
	} finally {
		for (const signal of signals) process.off(signal, stop);
	}
}
