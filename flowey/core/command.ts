/** A command of `flowey.ts`. */
export interface Command {
	readonly name: string;
	/** One line for the overview. */
	readonly summary: string;
	/** The words after the name, for the overview. */
	readonly usage: string;
	/** Runs it with the words that follow its name and returns the exit status. */
	run(words: readonly string[]): Promise<number>;
}
