/** Vectors of exceptions (SDM volume 3, table 6-1). */
export const Vector = {
	divideError: 0,
	debug: 1,
	nmi: 2,
	breakpoint: 3,
	overflow: 4,
	boundRange: 5,
	invalidOpcode: 6,
	deviceNotAvailable: 7,
	doubleFault: 8,
	invalidTss: 10,
	segmentNotPresent: 11,
	stackFault: 12,
	generalProtection: 13,
	pageFault: 14,
	mathFault: 16,
} as const;

/** Exceptions that push an error code. */
const withErrorCode = new Set<number>([8, 10, 11, 12, 13, 14, 17, 21]);

/** An exception of the guest's, no error of ours, which would collect a stack trace. Thrown by what carries out its instruction: but for a task switch that has changed nothing yet. */
export class GuestFault {
	readonly vector: number;
	/** Undefined for an exception without one. */
	readonly errorCode: number | undefined;
	/** An interrupt from outside is none, whatever its vector. */
	readonly isException: boolean = true;
	/** A task switch has been done, whose state stays: RIP is the new task's. */
	readonly isOfNewTask: boolean;

	constructor(vector: number, errorCode = 0, isOfNewTask = false) {
		this.vector = vector;
		this.isOfNewTask = isOfNewTask;
		this.errorCode = withErrorCode.has(vector) ? errorCode : undefined;
	}

	/** The same while something is delivered that the program did not ask for: bit 0 of codes that name selectors (SDM volume 3, 6.13). */
	asExternal(): GuestFault {
		const namesSelector = this.vector >= Vector.invalidTss && this.vector <= Vector.generalProtection;
		return namesSelector ? new GuestFault(this.vector, (this.errorCode ?? 0) | 1, this.isOfNewTask) : this;
	}

	/** The same as an exception of the task that has been switched to. */
	ofNewTask(): GuestFault {
		return new GuestFault(this.vector, this.errorCode, true);
	}
}

export const generalProtection = (errorCode = 0): GuestFault => new GuestFault(Vector.generalProtection, errorCode);
export const invalidOpcode = (): GuestFault => new GuestFault(Vector.invalidOpcode);

/** Tells whether two exceptions combine to a double fault while the first is delivered (SDM volume 3, tables 6-4 and 6-5). */
export function isDoubleFault({vector: first, isException}: GuestFault, {vector: second}: GuestFault): boolean {
	if (!isException) return false;
	const isContributory = (vector: number) => vector === 0 || (vector >= 10 && vector <= 13);
	if (isContributory(first)) return isContributory(second);
	return first === Vector.pageFault && (isContributory(second) || second === Vector.pageFault);
}
