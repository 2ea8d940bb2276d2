import type {MemoryRange} from '#devices/guest-memory';

/** Names this device in machine descriptions. */
export const rootComplexKind = 'pcie-root-complex';

/** A root complex: its buses, and the addresses that lead to them. All ranges may be empty but the first. */
export interface RootComplexConfig {
	readonly segment: number;
	readonly startBus: number;
	/** The last bus, included. */
	readonly endBus: number;
	/** Configuration space of `startBus` and the buses after it, 1 MiB each. */
	readonly ecam: MemoryRange;
	/** Below 4 GiB, for BARs of any kind. */
	readonly lowMmio: MemoryRange;
	/** Above, for prefetchable BARs. */
	readonly highMmio: MemoryRange;
	/** Ports, for BARs of ports. */
	readonly ports: {readonly base: number; readonly length: number};
	/** The guest is told to leave BARs where they are. */
	readonly preserveBars: boolean;
	/** The NUMA node that the guest is told it is near to. */
	readonly node?: number;
}

/** Configuration space of one bus. */
export const bytesPerBus = 0x10_0000;
