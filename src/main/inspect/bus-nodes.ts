import type {Claim} from '#devices/io-bus';
import type {AttachedMachine} from '#devices/machine';
import {type Children, object} from '#support/inspect';

/** `vm/buses`: who answers which addresses, and what was accessed that nobody answers. */
export const busNodes = (machine: AttachedMachine): Children => ({
	pio: object(() => spaceNodes(machine, 'pio')),
	mmio: object(() => spaceNodes(machine, 'mmio')),
});

function spaceNodes({layout, unclaimed}: AttachedMachine, space: Claim['space']): Children {
	return {
		claims: object(() => {
			const claims = layout.claims.filter((claim) => claim.space === space).sort((a, b) => a.base - b.base);
			return Object.fromEntries(
				claims.map(({base, length, deviceName, name}) => [range(base, length), `${deviceName}: ${name}`]),
			);
		}),
		// By port, or by first address of the 4 KiB page; most accessed first.
		unclaimed: object(() => {
			const counted = unclaimed.list().filter((access) => access.space === space);
			return Object.fromEntries(counted.map(({address, count}) => [hexText(address), count]));
		}),
		...(space === 'mmio' && {uncounted: unclaimed.overflow}),
	};
}

const hexText = (value: number) => `0x${value.toString(16)}`;
const range = (base: number, length: number) =>
	length === 1 ? hexText(base) : `${hexText(base)}-${hexText(base + length - 1)}`;
