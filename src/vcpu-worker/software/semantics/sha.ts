import {type Int, i32, type Local, splat, type Vector} from '#support/wasm';
import type {Meaning, OperandName, Operation} from './operation.ts';

type Word = Int<'i32'>;
type Words = readonly [Word, Word, Word, Word];
type WordLocals = readonly [Local<'i32'>, Local<'i32'>, Local<'i32'>, Local<'i32'>];

/** Words of an operand, from the lowest on. */
const wordsOf = (op: Operation, operand: OperandName): WordLocals =>
	[0, 1, 2, 3].map((index) => op.f.let(op.readElement(operand, 32, i32(index)).toI32())) as unknown as WordLocals;

/** Writes the destination at once: a load of it waits for one store only. */
function writeWords(op: Operation, [first, second, third, fourth]: Words): void {
	const two = (low: Word, high: Word): Vector => splat('i64x2', low.toI64U().or(high.toI64U().shl(32)));
	op.writeVector(
		'a',
		two(first, second).shuffle(two(third, fourth), [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]),
	);
}

const choose = (x: Word, y: Word, z: Word): Word => y.xor(z).and(x).xor(z);
const parity = (x: Word, y: Word, z: Word): Word => x.xor(y).xor(z);
const majority = (x: Word, y: Word, z: Word): Word => x.and(y).or(x.or(y).and(z));

/** Functions and constants of the four times 20 rounds of SHA-1 (FIPS 180-4, 4.1.1 and 4.2.1). */
const phases = [
	[choose, 0x5a82_7999],
	[parity, 0x6ed9_eba1],
	[majority, 0x8f1b_bcdc | 0],
	[parity, 0xca62_c1d6 | 0],
] as const;

const rotations = (word: Word, ...counts: readonly number[]): Word =>
	counts.map((count) => word.rotr(count)).reduce((sum, one) => sum.xor(one));
/** Functions of SHA-256 (FIPS 180-4, 4.1.2). */
const sum0 = (word: Word): Word => rotations(word, 2, 13, 22);
const sum1 = (word: Word): Word => rotations(word, 6, 11, 25);
const small0 = (word: Word): Word => rotations(word, 7, 18).xor(word.shrU(3));
const small1 = (word: Word): Word => rotations(word, 17, 19).xor(word.shrU(10));

/** Instructions for SHA-1 and SHA-256 (SDM volume 2, SHA1RNDS4 and what follows it). */
export const sha = {
	/** `a` has D, C, B, A from the lowest word on; E is in the highest word of the message already. */
	sha1rnds4: (op) => {
		const {f} = op;
		const message = wordsOf(op, 'b');
		const state = wordsOf(op, 'a');
		const phase = f.let(op.immediate().toI32().and(3));
		f.switch(
			phase,
			phases.map(([mix, constant]) => () => {
				let [d, c, b, a]: Words = state;
				let e = i32(0);
				for (const word of [...message].reverse()) {
					const next = f.let(mix(b, c, d).add(a.rotl(5)).add(word).add(e).add(constant));
					[a, b, c, d, e] = [next, a, f.let(b.rotl(30)), c, d];
				}
				for (const [index, word] of [d, c, b, a].entries()) f.set(state[index] as Local<'i32'>, word);
			}),
		);
		writeWords(op, state);
	},
	sha1nexte: (op) => {
		const [, , , a] = wordsOf(op, 'a');
		const [first, second, third, fourth] = wordsOf(op, 'b');
		writeWords(op, [first, second, third, fourth.add(a.rotl(30))]);
	},
	sha1msg1: (op) => {
		const [w3, w2, w1, w0] = wordsOf(op, 'a');
		const [, , w5, w4] = wordsOf(op, 'b');
		writeWords(op, [w5.xor(w3), w4.xor(w2), w3.xor(w1), w2.xor(w0)]);
	},
	sha1msg2: (op) => {
		const [fourth, third, second, first] = wordsOf(op, 'a');
		const [w15, w14, w13] = wordsOf(op, 'b');
		const w16 = op.f.let(first.xor(w13).rotl(1));
		writeWords(op, [fourth.xor(w16).rotl(1), third.xor(w15).rotl(1), second.xor(w14).rotl(1), w16]);
	},
	/** `a` has H, G, D, C from the lowest word on, `b` F, E, B, A, and XMM0, the third operand, the words of two rounds with their constants. */
	sha256rnds2: (op) => {
		const {f} = op;
		let [h, g, d, c]: Words = wordsOf(op, 'a');
		let [ff, e, b, a]: Words = wordsOf(op, 'b');
		const [first, second] = wordsOf(op, 'c');
		for (const word of [first, second]) {
			const added = f.let(choose(e, ff, g).add(sum1(e)).add(word).add(h));
			const [nextA, nextE] = [f.let(added.add(majority(a, b, c)).add(sum0(a))), f.let(added.add(d))];
			[a, b, c, d, e, ff, g, h] = [nextA, a, b, c, nextE, e, ff, g];
		}
		writeWords(op, [ff, e, b, a]);
	},
	sha256msg1: (op) => {
		const [w0, w1, w2, w3] = wordsOf(op, 'a');
		const [w4] = wordsOf(op, 'b');
		writeWords(op, [w0.add(small0(w1)), w1.add(small0(w2)), w2.add(small0(w3)), w3.add(small0(w4))]);
	},
	sha256msg2: (op) => {
		const [first, second, third, fourth] = wordsOf(op, 'a');
		const [, , w14, w15] = wordsOf(op, 'b');
		const [w16, w17] = [op.f.let(first.add(small1(w14))), op.f.let(second.add(small1(w15)))];
		writeWords(op, [w16, w17, third.add(small1(w16)), fourth.add(small1(w17))]);
	},
} as const satisfies Record<string, Meaning>;
