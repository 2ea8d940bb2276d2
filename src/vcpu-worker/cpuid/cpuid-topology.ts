/** A processor's place as CPUID describes it: how its APIC id divides into thread, core and socket. */
export interface CpuidTopology {
	readonly apicId: number;
	/** Low bits of the APIC id that name the thread within its core: 0, or 1 with SMT. */
	readonly threadBits: number;
	/** Low bits that name the processor within its socket, the thread bits included. */
	readonly socketShift: number;
}
