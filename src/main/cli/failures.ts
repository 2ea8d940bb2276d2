/** The watch over errors that nothing caught: bugs. */
export interface FailureWatch {
	/** Rejects with the first such error. */
	readonly first: Promise<never>;
	close(): void;
}

/** Turns errors that nothing caught into a rejection, so that a bug still ends the machine in order. */
export function watchFailures(): FailureWatch {
	const {promise: first, reject} = Promise.withResolvers<never>();
	first.catch(() => {});
	process.on('uncaughtException', reject);
	return {first, close: () => process.off('uncaughtException', reject)};
}
