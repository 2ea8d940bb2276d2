/** What an error is made of when a download fails: each caller has codes and remedies of its own. */
export interface DownloadFaults {
	/** @param what - what the host's network says, or an answer that may be another one later */
	unreachable(url: string, what: string, cause?: unknown): Error;
	/** Too little came in a span of time. */
	stalled(url: string, bytes: number, seconds: number): Error;
	/** @param what - where to, for a person */
	redirected(url: string, what: string): Error;
}

/** What to call an error of the host's network. */
export function networkFault(url: string, error: unknown, faults: DownloadFaults): Error {
	const {code, message} = error as NodeJS.ErrnoException;
	return faults.unreachable(url, code ?? message, error);
}
