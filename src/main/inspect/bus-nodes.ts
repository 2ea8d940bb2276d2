import {type BusSpace, busSpaces} from '#devices/io-bus';
import type {AttachedMachine} from '#devices/machine';
import {type Children, object} from '#support/inspect';
import {quietMsrs} from '#vcpu-worker/msr-policy';

/** `vm/buses`: who answers which addresses, and what was accessed that nobody answers. */
export const busNodes = (machine: AttachedMachine): Children =>
	Object.fromEntries(busSpaces.map((space) => [space, object(() => spaceNodes(machine, space))]));

function spaceNodes({layout, unclaimed}: AttachedMachine, space: BusSpace): Children {
	return {
		claims: object(() => {
			const claims = layout.claims
				.filter((claim) => claim.space === space)
				.map(({base, length, deviceName, name}) => ({base, length, owner: `${deviceName}: ${name}`}));
			const all = [...claims, ...(space === 'msr' ? quietRegisters : [])].sort((a, b) => a.base - b.base);
			return Object.fromEntries(all.map(({base, length, owner}) => [range(base, length), owner]));
		}),
		// By port, first address of the 4 KiB page, register or call code; most accessed first.
		unclaimed: object(() => {
			const counted = unclaimed.list().filter((access) => access.space === space);
			return Object.fromEntries(counted.map(({address, count}) => [hexText(address), count]));
		}),
		// Every port has a counter.
		...(space !== 'pio' && {uncounted: unclaimed.overflow(space)}),
	};
}

/** They answer where no device does. */
const quietRegisters = quietMsrs.map(({name, first, last}) => ({
	base: first,
	length: last - first + 1,
	owner: `quiet: ${name}`,
}));

const hexText = (value: number) => `0x${value.toString(16)}`;
const range = (base: number, length: number) =>
	length === 1 ? hexText(base) : `${hexText(base)}-${hexText(base + length - 1)}`;
