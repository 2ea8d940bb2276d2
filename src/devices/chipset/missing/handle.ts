/** Names this device in machine descriptions. */
export const missingKind = 'missing';

/** Ports of hardware that is not there but that guests are known to touch. */
export interface MissingConfig {
	readonly ports: readonly MissingPorts[];
}

/** A range of ports. */
export interface MissingPorts {
	readonly name: string;
	readonly base: number;
	readonly length: number;
}
