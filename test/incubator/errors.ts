/** The incubator could not start, or died. Nothing is wrong with the commands that ran in it. */
export class IncubatorError extends Error {
	override readonly name = 'IncubatorError';
	/** What to do about it, one sentence. */
	readonly remedy: string;

	constructor(message: string, remedy: string, options?: ErrorOptions) {
		super(message, options);
		this.remedy = remedy;
	}
}
