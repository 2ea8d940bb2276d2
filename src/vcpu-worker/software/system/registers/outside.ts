/** The world that a processor reaches beside RAM and its own registers. */
export interface Outside {
	readPort(port: number, bytes: 1 | 2 | 4): number;
	writePort(port: number, bytes: 1 | 2 | 4, value: number): void;
	/** Answers of CPUID: EAX, EBX, ECX, EDX. */
	cpuid(leaf: number, subleaf: number): readonly [number, number, number, number];
	/** The time-stamp counter. */
	counter(): bigint;
	/** Moves it on or back, as the guest asks for. */
	moveCounter(by: bigint): void;
	/** 64 random bits. */
	random(): bigint;
	/** A model-specific register that is none of the processor's own; undefined: there is none, and RDMSR faults. */
	readMsr(index: number): bigint | undefined;
	/** False: there is none, or not with this value. */
	writeMsr(index: number, value: bigint): boolean;
	/** CR8, which is the local APIC's: the class of the task priority. */
	readPriority(): number;
	writePriority(value: number): void;
	/**
	 * VMCALL or VMMCALL. Undefined: there is no hypervisor that takes it.
	 * @param values - RBX, RCX, RDX and RSI
	 * @param bits - of each, and of the number
	 * @returns RAX
	 */
	hypercall(number: bigint, values: readonly bigint[], bits: 32 | 64): bigint | undefined;
}
