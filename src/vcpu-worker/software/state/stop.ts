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
} as const;
