import type {Region} from '#devices/device';
import {errorTable} from '#support/errors';

/** Spaces that regions can be claimed of. */
export const busSpaces = ['pio', 'mmio', 'msr', 'hypercall', 'intercept'] as const;
export type BusSpace = (typeof busSpaces)[number];

/** True for what a device claims at a fixed place; BARs and configuration space are where the guest puts them. */
export const isBusSpace = (space: Region['space']): space is BusSpace =>
	(busSpaces as readonly Region['space'][]).includes(space);

/** A region of one machine and the number its device is known by. */
export interface Claim extends Region {
	readonly space: BusSpace;
	readonly deviceName: string;
	/** Index of the device in the machine. */
	readonly device: number;
	/** Index of the region in the device. */
	readonly region: number;
}

/** The number of I/O ports. */
export const portCount = 0x10000;

const limits: Readonly<Record<BusSpace, number>> = {
	pio: portCount,
	mmio: 2 ** 52,
	msr: 2 ** 32,
	hypercall: 2 ** 16,
	intercept: 3,
};

const busError = errorTable({
	BUS_REGION_OVERLAP: (c: {overlaps: readonly string[]}) => ({
		message: `Devices claim the same addresses: ${c.overlaps.join('; ')}`,
		remedy: 'Move or remove one of the devices',
	}),
	BUS_REGION_OUT_OF_RANGE: (c: {region: string}) => ({
		message: `Device region ${c.region} does not fit its address space`,
	}),
});

const show = ({deviceName, name, space, base, length}: Claim) =>
	`${deviceName}.${name} (${space} 0x${base.toString(16)}-0x${(base + length - 1).toString(16)})`;

/**
 * Checks the claims of a whole machine.
 * @throws VmmError `BUS_REGION_OVERLAP` naming every conflict, or `BUS_REGION_OUT_OF_RANGE`
 */
export function checkClaims(claims: readonly Claim[]): void {
	for (const claim of claims) {
		if (claim.length < 1 || claim.base < 0 || claim.base + claim.length > limits[claim.space]) {
			throw busError('BUS_REGION_OUT_OF_RANGE', {region: show(claim)});
		}
	}
	const overlaps: string[] = [];
	for (const space of busSpaces) {
		const sorted = claims
			.filter((claim) => claim.space === space && !(space === 'pio' && claim.yields))
			.sort((a, b) => a.base - b.base);
		for (const [index, claim] of sorted.entries()) {
			const next = sorted[index + 1];
			if (next !== undefined && next.base < claim.base + claim.length)
				overlaps.push(`${show(claim)} and ${show(next)}`);
		}
	}
	if (overlaps.length > 0) throw busError('BUS_REGION_OVERLAP', {overlaps});
}
