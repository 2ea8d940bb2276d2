import type {Intercept, TrustLevels} from '#devices/processor';

/** A 64-bit value in unsigned halves: unlike a bigint they carry it without allocating. */
export interface Halves {
	low: number;
	high: number;
}

/** Names the maker of the access that a thread serves. */
export interface AccessContext {
	/** The index of the virtual processor; undefined where no guest code does, such as a debugger or a device's back. */
	readonly vp: number | undefined;
	/** Trust levels of that processor, where it has others than 0; never for an owned device. */
	readonly levels?: TrustLevels;
}

/**
 * A call that the guest makes to its hypervisor, by Hyper-V's convention (TLFS, "Hypercall Interface", x64): the registers
 * that carry it. One object per processor, which its back end fills and reads.
 */
export interface Hypercall {
	/** RCX: the call code in bits 15:0, flags and repeat counts above. */
	readonly control: Halves;
	/** RDX: address of the input, or its first eight bytes in a fast call. */
	readonly input: Halves;
	/** R8: address of the output, or the second eight bytes of input in a fast call. */
	readonly output: Halves;
	/** RAX after the call: the status in bits 15:0, completed repeats in bits 43:32 (11:0 of the high half). */
	readonly result: Halves;
}

/** The part of a device's front that answers what is no memory and no port. Every call holds the device's lock. */
export interface ProcessorFront {
	/**
	 * RDMSR of a register in a region of space `msr`: puts the value in place. Without this method, or with false, the
	 * instruction faults.
	 */
	readMsr?(region: number, offset: number, value: Halves): boolean;
	/** WRMSR; as {@link readMsr}. `value` is the bus's own and may change after the call. */
	writeMsr?(region: number, offset: number, value: Halves): boolean;
	/** A call whose code lies in a region of space `hypercall`. Sets the result, which is 0 before. */
	hypercall?(region: number, offset: number, call: Hypercall): void;
	/**
	 * A level has tried what the guard forbids, whose number lies in a region of space `intercept`. It tries again when it goes on,
	 * unless its RIP has been changed.
	 */
	intercept?(region: number, offset: number, intercept: Intercept): void;
}
