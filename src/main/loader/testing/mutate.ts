/** Random numbers from a seed, the same on every machine (mulberry32): `below(n)` is a whole number from 0 to n - 1. */
export interface Random {
	below(limit: number): number;
	pick<T>(list: readonly [T, ...T[]]): T;
}

export function randomFrom(seed: number): Random {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b_79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return (mixed ^ (mixed >>> 14)) >>> 0;
	};
	const below = (limit: number) => next() % Math.max(1, limit);
	return {below, pick: (list) => list[below(list.length)] as (typeof list)[0]};
}

/** Values that break parsers: signs, carries, page and address-space limits. */
const interesting: readonly [bigint, ...bigint[]] = [
	0n,
	1n,
	0x7fn,
	0xffn,
	0xfffn,
	0xffffn,
	0x10_0000n,
	0x7fff_ffffn,
	0xffff_fff0n,
	0xffff_ffffn,
	1n << 32n,
	1n << 52n,
	(1n << 63n) - 1n,
	1n << 63n,
	(1n << 64n) - 1n,
];

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

/** Headers lie at the start: half of all changes go there. */
const place = (bytes: Uint8Array, random: Random, size: number) =>
	random.below(Math.max(1, (random.below(2) === 0 ? Math.min(bytes.length, 0x280) : bytes.length) - size + 1));

const changeByte: Mutation = (bytes, random) => {
	if (bytes.length > 0) bytes[place(bytes, random, 1)] = random.below(256);
	return bytes;
};

const changeField: Mutation = (bytes, random) => {
	const size = random.pick([1, 2, 4, 8]);
	if (bytes.length < size) return bytes;
	const at = place(bytes, random, size) & ~(size - 1);
	let value = random.pick(interesting);
	for (let i = 0; i < size; i++, value >>= 8n) bytes[at + i] = Number(value & 0xffn);
	return bytes;
};

const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1));

const repeatPart: Mutation = (bytes, random) => {
	const size = random.below(64);
	if (bytes.length > size * 2) bytes.copyWithin(place(bytes, random, size), place(bytes, random, size), size);
	return bytes;
};

/** A copy of `seed` with one to six changes. */
export function mutate(seed: Uint8Array, random: Random): Uint8Array {
	let bytes: Uint8Array = seed.slice();
	for (let count = 1 + random.below(6); count > 0; count--) {
		// Most changes are small ones, or little would get past the first check.
		const coarse = random.below(20) === 0;
		bytes = random.pick(coarse ? [truncate, repeatPart] : [changeByte, changeField])(bytes, random);
	}
	return bytes;
}

/** `length` bytes of noise, at most. */
export function noise(random: Random, length: number): Uint8Array {
	return Uint8Array.from({length: random.below(length)}, () => random.below(256));
}
