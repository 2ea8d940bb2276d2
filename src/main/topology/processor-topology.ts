/** How many APIC ids a machine may address, as asked for. */
export type X2ApicOption = 'auto' | 'supported' | 'off' | 'on';

/** Whether two processors share a core: `auto` follows the host. */
export type SmtOption = 'auto' | 'force' | 'off';

/** One virtual processor's place in the machine. */
export interface VpPlace {
	/** 0 is the boot processor. Dense. */
	readonly index: number;
	/** Local APIC id, and KVM's vCPU id. */
	readonly apicId: number;
	/** Socket as the APIC id names it, so an APIC id offset shifts it. */
	readonly socket: number;
	/** Core within the socket. */
	readonly core: number;
	/** Thread within the core: 0 or 1. */
	readonly thread: number;
}

/** A machine's processors. */
export interface ProcessorTopology {
	/** By index, never empty. */
	readonly vps: readonly VpPlace[];
	/** Processors that fill one socket, as configured. */
	readonly vpsPerSocket: number;
	/** {@link vpsPerSocket} rounded up to a power of two: the APIC ids one socket takes. */
	readonly reservedVpsPerSocket: number;
	/** 1, or 2 with SMT. */
	readonly threadsPerCore: number;
	/** Bits of an APIC id that name the thread: 0 or 1. */
	readonly threadBits: number;
	/** Bits of an APIC id that name the processor within its socket, thread bits included. */
	readonly socketShift: number;
	/** The largest APIC id in use. */
	readonly maxApicId: number;
	readonly apicMode: ApicMode;
}

/** `xapic`: no x2APIC in CPUID; `x2apic-supported`: offered, off at reset; `x2apic-enabled`: on at reset. */
export type ApicMode = 'xapic' | 'x2apic-supported' | 'x2apic-enabled';
