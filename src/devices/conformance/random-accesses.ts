import type {AccessSize, DeviceCommand, Region} from '#devices/device';
import type {SavedField, SavedFields} from '#support/saved-state';
import {type AnyField, isKind, type Wire} from '#support/wire';

const crowdedBytes = 0x44;
const sizes: readonly AccessSize[] = [1, 2, 4];

/** Numbers below a limit, the same in every run for a seed (numerical recipes' generator, high bits). */
export type Below = (limit: number) => number;

export function generator(seed: number): Below {
	let state = seed;
	return (limit) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
}

/** An access that a bus could pass on. */
export interface Access {
	readonly region: number;
	readonly offset: number;
	readonly size: AccessSize;
	/** -1 reads. */
	readonly value: number;
}

/** An access, or a command of the machine's owner. */
export type Step = Access | {readonly command: DeviceCommand};

/**
 * Random accesses, each inside one region, and now and then a command.
 * @param known - one example of each command
 */
export function* randomSteps(
	known: readonly DeviceCommand[],
	regions: readonly Region[],
	below: Below,
	count: number,
): Generator<Step> {
	for (let step = 0; step < count; step++) {
		const command = known[below(16 * known.length)] ?? (regions.length === 0 ? known[0] : undefined);
		if (command !== undefined) {
			yield {command};
			continue;
		}
		if (regions.length === 0) return;
		const region = below(regions.length);
		const {length} = regions[region] as {length: number};
		const fitting = sizes.filter((size) => size <= length);
		const size = fitting[below(fitting.length)] as AccessSize;
		// Large regions have their registers at the start.
		const offset = below(Math.min(length, below(2) === 0 ? length : crowdedBytes) - size + 1);
		const value = below(2) === 0 ? -1 : below(2 ** (8 * size));
		yield {region, offset, size, value};
	}
}

/** True for a value that a front may answer with: one of 4 bytes may be signed. */
export const fits = (size: AccessSize, value: number): boolean =>
	Number.isInteger(value) && value >= (size === 4 ? -(2 ** 31) : 0) && value < 2 ** (8 * size);

/** Fields of a saved state, with values that fit every field and make no sense together. */
export function randomFields({fields}: Wire, below: Below): SavedFields {
	const random = (field: AnyField): SavedField => {
		if (isKind(field, 'struct')) return randomFields(field, below);
		if (isKind(field, 'list')) return Array.from({length: field.length}, () => random(field.item));
		if (isKind(field, 'scalar') && field.type === 'f64') return (below(2 ** 31) - 2 ** 30) * 2 ** (below(54) - 31);
		if (isKind(field, 'scalar') && field.size < 8) return below(2 ** (8 * field.size)) + Number(field.range?.[0]);
		const bytes = Buffer.from(Uint8Array.from({length: field.size}, () => below(256)));
		return isKind(field, 'halves') || isKind(field, 'scalar') ? `0x${bytes.toString('hex')}` : bytes.toString('base64');
	};
	return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, random(field)]));
}
