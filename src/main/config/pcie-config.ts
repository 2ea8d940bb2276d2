/** A PCI Express root complex: buses, and addresses for what is behind it. */
export interface PcieRootComplexConfig {
	readonly name: string;
	/** 0–65535. */
	readonly segment: number;
	/** First and last bus, 0–255. */
	readonly startBus: number;
	readonly endBus: number;
	/** Bytes below 4 GiB for BARs. */
	readonly lowMmioBytes: number;
	/** Bytes above RAM for prefetchable 64-bit BARs. */
	readonly highMmioBytes: number;
	/** Fixed addresses; without them there is a place for them. */
	readonly lowMmioBase?: number;
	readonly highMmioBase?: number;
	/** The guest is told to leave BARs where they are at power-on. */
	readonly preserveBars: boolean;
	/** The NUMA node that it is near to. */
	readonly node?: number;
}

/** Options that ports of root complexes and switches share. */
interface PortOptions {
	/** Devices may come and go while the guest runs. */
	readonly hotplug: boolean;
	/** The guest is asked before a device goes, and when one comes to a slot that it has turned off (an attention button). */
	readonly button?: boolean;
	/** Access control services: bits of the ACS capability register, 0 for none. */
	readonly acs: number;
	/** End-to-end prefixes for process address space ids. */
	readonly pasid: boolean;
}

/** A port of a root complex. */
export interface PcieRootPortConfig extends PortOptions {
	readonly rootComplex: string;
	readonly name: string;
	/** Device number times 8 plus function number; without it the lowest one that is free. */
	readonly devfn?: number;
}

/** A switch on a port, with ports `NAME-downstream-0` and so on. */
export interface PcieSwitchConfig extends PortOptions {
	/** The port that it sits in: a root port's or a switch port's name. */
	readonly port: string;
	readonly name: string;
	readonly downstreamPorts: number;
}

/** The device behind a port uses the memory of a NUMA node as processors do. */
export interface PcieGenericInitiatorConfig {
	/** A root port's or a switch port's name. */
	readonly port: string;
	readonly node: number;
}

/** PCI Express of a machine. */
export interface PcieConfig {
	readonly rootComplexes: readonly PcieRootComplexConfig[];
	readonly rootPorts: readonly PcieRootPortConfig[];
	readonly switches: readonly PcieSwitchConfig[];
	/** Configuration space lies below 4 GiB, for guests that look for it there only. */
	readonly ecamBelow4Gb: boolean;
	readonly genericInitiators?: readonly PcieGenericInitiatorConfig[];
}

/** The name of a switch's port. */
export const downstreamPortName = (name: string, index: number): string => `${name}-downstream-${index}`;

/** More ports than any switch has. */
export const mostSwitchPorts = 255;

/** The names of a switch's ports. */
export const downstreamPortNames = ({
	name,
	downstreamPorts,
}: Pick<PcieSwitchConfig, 'name' | 'downstreamPorts'>): string[] =>
	Array.from({length: Math.min(downstreamPorts, mostSwitchPorts)}, (_, index) => downstreamPortName(name, index));

/** The names of all devices that PCI Express brings. */
export const pcieNames = ({rootComplexes, rootPorts, switches}: PcieConfig): string[] => [
	...[...rootComplexes, ...rootPorts].map(({name}) => name),
	...switches.flatMap((options) => [options.name, ...downstreamPortNames(options)]),
];
