import type {MemoryConfig} from './memory-config.ts';

/** One NUMA node of the machine: memory, processors, either or none. */
export interface NumaNodeConfig {
	/** 0 bytes are none. It has no file. */
	readonly memory: MemoryConfig;
	/** The host's node that the memory comes from, and no other. */
	readonly hostNode?: number;
	/** Its processors by index; an empty list for a node without any. Nodes without this share the machine's by socket. */
	readonly vps?: readonly number[];
}

/** Distance of one node's memory from the processors of another. */
export interface NumaDistance {
	readonly from: number;
	readonly to: number;
	/** 10 (local) to 254; 255 is out of reach (ACPI 6.5, 5.2.17). */
	readonly distance: number;
}

/** The machine's NUMA nodes, by number. */
export interface NumaConfig {
	readonly nodes: readonly NumaNodeConfig[];
	/** In one direction each. Of those that are not listed it is 10 to itself and 20 to any other. */
	readonly distances: readonly NumaDistance[];
}

/** The machine's nodes; all of it is one where it has none of its own. */
export const numaNodes = ({
	numa,
	memory,
}: {
	readonly numa?: NumaConfig;
	readonly memory: MemoryConfig;
}): readonly NumaNodeConfig[] => numa?.nodes ?? [{memory}];
