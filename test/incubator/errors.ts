/** The incubator could not start, or died. Nothing is wrong with the commands that ran in it. */
export class IncubatorError extends Error {
	override readonly name = 'IncubatorError';
	/** Advice on what to do, one sentence. */
	readonly remedy: string;

	constructor(message: string, remedy: string, options?: ErrorOptions) {
		super(message, options);
		this.remedy = remedy;
	}
}

/** The incubator did not come up in time. */
export class BootTimeoutError extends IncubatorError {
	constructor(message: string) {
		super(message, 'Wait until this machine is less busy, or read that log.');
	}
}
