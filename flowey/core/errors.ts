/** A failure that the person at the keyboard can act on: printed without a stack. */
export class FloweyError extends Error {
	override readonly name = 'FloweyError';
	/** Advice on what to do, one sentence. */
	readonly remedy: string;

	constructor(message: string, remedy: string, options?: ErrorOptions) {
		super(message, options);
		this.remedy = remedy;
	}
}

/** Words of the command line that the command does not understand. */
export class WordsError extends FloweyError {}
