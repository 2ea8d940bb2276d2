import type {DeviceCommand} from '#devices/device';

/** Names the ports in machine descriptions. */
export const rootPortKind = 'pcie-root-port';
export const upstreamPortKind = 'pcie-upstream-port';
export const downstreamPortKind = 'pcie-downstream-port';

/**
 * Tells a port, while the guest does not run, that a device has come or gone.
 * @param leavesZeros - see `PciFunction`
 */
export const occupancyChanged = (leavesZeros = false) => ({kind: occupancyKind, leavesZeros}) as const;
export const occupancyKind = 'pcie-occupancy-changed';
export type OccupancyChanged = ReturnType<typeof occupancyChanged>;

/** Presses a port's attention button: the guest is to let go of what is in its slot. */
export const attentionPressed = {kind: 'pcie-attention-pressed'} as const satisfies DeviceCommand;

/** A port of a root complex or of a switch. */
export interface PciePortConfig {
	/** The number of its slot, when devices may come and go; never on an upstream port. */
	readonly slot?: number;
	/** The slot has an attention button. */
	readonly button?: boolean;
	/** Access control services that it has: bits of the ACS capability register; 0 for no such capability. */
	readonly acs: number;
	/** End-to-end prefixes, as process address space ids need. */
	readonly prefixes: boolean;
}
