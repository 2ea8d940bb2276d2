import {GuestThreads} from '#vcpu-worker/software/system/testing';
import {judged, type ProofPart} from './part.ts';

const entries = [0x20_0000, 0x20_1000] as const;
/** More do not fit between the places. */
const maxRounds = 200_000;
/** Both count rounds from 1 on: what each stores and has loaded last tells which came first. */
const area = 0x40_0000;
const areaBytes = 0x40_0000;
const places = {x: 0, y: 0x1000, gate: 0x2000, first: 0x10_0000, second: 0x20_0000} as const;
const word = (value: number): readonly number[] => [...new Uint8Array(Uint32Array.of(value).buffer)];

/** MOV [RDI],ECX; MOV EAX,[RSI]; MOV [RDX+RCX*4],EAX; MFENCE; MOV EAX,ECX and XCHG [RDI],EAX. */
const store = [0x89, 0x0f];
const load = [0x8b, 0x06];
const record = [0x89, 0x04, 0x8a];
const mfence = [0x0f, 0xae, 0xf0];
const xchg = [0x89, 0xc8, 0x87, 0x07];
/** MOV [RSI],ECX; MOV EBX,[RDI]; SUB EBX,EAX and MOV [RDX+RCX*4],EBX. */
const storeBehind = [0x89, 0x0e];
const loadBehind = [0x8b, 0x1f];
const recordBehind = [0x29, 0xc3, 0x89, 0x1c, 0x8a];

/** What two processors do in each round: where RDI and RSI point to (X and Y; Y and X if it is mirrored), and what may not be found. */
interface Litmus {
	readonly first: readonly number[];
	readonly second: readonly number[];
	/** The second has X in RSI. */
	readonly isMirrored: boolean;
	/** @returns a round that contradicts the order of memory, undefined for none */
	readonly contradiction: (first: Int32Array, second: Int32Array, rounds: number) => number | undefined;
}

/** Who has not seen the other's round yet came before it, and is seen by it. */
function unseen(first: Int32Array, second: Int32Array, rounds: number): number | undefined {
	for (let round = 1; round <= rounds; round++) {
		const next = (first[round] as number) + 1;
		if (next <= rounds && (second[next] as number) < round) return round;
	}
	return undefined;
}

/** What one has seen of the other had been loaded before. */
function foreseen(first: Int32Array, second: Int32Array, rounds: number): number | undefined {
	for (let round = 1; round <= rounds; round++) {
		const seen = first[round] as number;
		if (seen > 0 && (second[seen] as number) >= round) return round;
	}
	return undefined;
}

/** SDM volume 3, 9.2.3. */
const tests: Readonly<Record<string, Litmus>> = {
	'loads do not pass stores before an MFENCE': {
		first: [...store, ...mfence, ...load, ...record],
		second: [...store, ...mfence, ...load, ...record],
		isMirrored: true,
		contradiction: unseen,
	},
	'loads do not pass an XCHG': {
		first: [...xchg, ...load, ...record],
		second: [...xchg, ...load, ...record],
		isMirrored: true,
		contradiction: unseen,
	},
	'stores do not pass loads before them': {
		first: [...load, ...record, ...store],
		second: [...load, ...record, ...store],
		isMirrored: true,
		contradiction: foreseen,
	},
	'stores are seen in their order, by loads in theirs': {
		first: [...store, ...storeBehind],
		second: [...load, ...loadBehind, ...recordBehind],
		isMirrored: false,
		contradiction: (_, second) => second.findIndex((distance) => distance < 0) + 1 || undefined,
	},
};

/** Of each test: waits for the other, LOCK INC [gate]; CMP [gate],2; JB; then all rounds. */
function program(self: 0 | 1, rounds: number): readonly number[] {
	const code: number[] = [];
	for (const [index, {first, second, isMirrored}] of Object.values(tests).entries()) {
		const base = area + index * areaBytes;
		const isSwapped = self === 1 && isMirrored;
		const [own, other] = isSwapped ? [places.y, places.x] : [places.x, places.y];
		code.push(0xbb, ...word(base + places.gate), 0xf0, 0xff, 0x03, 0x83, 0x3b, 2, 0x72, 0xfb);
		code.push(0xbf, ...word(base + own), 0xbe, ...word(base + other));
		code.push(0xba, ...word(base + (self === 0 ? places.first : places.second)), 0x31, 0xc9);
		// INC ECX; body; CMP ECX,rounds; JB.
		const body = [0xff, 0xc1, ...(self === 0 ? first : second), 0x81, 0xf9, ...word(rounds)];
		code.push(...body, 0x72, -(body.length + 2) & 0xff);
	}
	return [...code, 0xf4];
}

export const litmus: ProofPart = {
	name: 'litmus',
	title: 'two processors see memory in the order of x86',
	oracle: 'manual',
	unit: 'rounds',
	daily: maxRounds,
	whole: 20 * maxRounds,
	share: maxRounds,
	threads: 2,
	obstacle: () => undefined,
	async run({count}) {
		const guest = new GuestThreads(2);
		const {ram} = guest.lone;
		for (const [self, entry] of entries.entries()) ram.set(program(self === 0 ? 0 : 1, count), entry);
		guest.start(entries.map((entry) => ({entry})));
		const ends = await guest.ends();
		const wrong = ends.flatMap(({stop}) => (stop === 'halted' ? [] : [`a processor ended by ${stop}`]));
		for (const [index, [name, {contradiction}]] of Object.entries(tests).entries()) {
			const base = area + index * areaBytes;
			const found = (place: number) => new Int32Array(ram.buffer, base + place, count + 1);
			const round = contradiction(found(places.first), found(places.second), count);
			if (round !== undefined) wrong.push(`${name}: round ${round}`);
		}
		return judged(count, wrong);
	},
};
