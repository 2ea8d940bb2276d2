/** Reasons for the end of generated code; the number is what it returns. */
export const Stop = {
	/** It has used its budget, or another thread wants something. */
	poll: 1,
	/** An exception: `vector` and `errorCode`. RIP is that of the instruction. */
	fault: 2,
	/** An instruction that TypeScript carries out: the record's. */
	system: 3,
	/** It goes to code that it does not know: `rip`, linear. */
	lookup: 4,
	/** A block has become hot: `record` is its head. */
	hot: 5,
} as const;

/** How the interpreter goes on behind a translation that returns no `Stop`. */
export const Onward = {
	/** At `record`. */
	record: 0,
	/** Where the step of `record` jumps to in its page. */
	inPage: -1,
	/** At `rip`, in place of the step of `record`. */
	to: -2,
} as const;
