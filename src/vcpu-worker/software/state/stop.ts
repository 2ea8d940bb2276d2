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
	/** The instruction of the record begins anew, at `rip`, having done nothing: another processor was faster. */
	again: 6,
} as const;

/** What a translation returns that returns no `Stop`: the interpreter goes on at `record`. */
export const goOn = 0;
