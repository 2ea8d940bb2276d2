import {createHash} from 'node:crypto';
import test from 'ava';
import {runBytes} from './raw-code.ts';

/** PAE, OSFXSR, OSXMMEXCPT. */
const cr4 = 0x620n;
/** What RDI points to. */
const data = 0x28_0000;

/** Bytes as their manuals write them, from the first on; the registers have them in that order. */
const bytesOf = (hex: string): Buffer => Buffer.from(hex, 'hex');
/** Numbers of 128 bits, whose highest byte is written first. */
const numberOf = (hex: string): Buffer => bytesOf(hex).reverse();

/** An instruction on XMM registers in the maps 0F, 0F 38 and 0F 3A: prefix and opcode, destination, source, constant. */
const onVectors = (opcode: string, to: number, from: number, ...constant: readonly number[]): number[] => [
	...bytesOf(opcode),
	0xc0 | (to << 3) | from,
	...constant,
];

/** Runs instructions with these in the first XMM registers, and memory at RDI; gives the registers afterwards. */
function run(
	code: readonly number[],
	registers: readonly Uint8Array[],
	memory: Uint8Array = new Uint8Array(),
	at = data,
) {
	const outcome = runBytes(code, {
		prepare: ({processor, ram}) => {
			const {state} = processor.core;
			state.cr4 = cr4;
			state.general[7] = BigInt(at);
			ram.set(memory, at);
			for (const [index, bytes] of registers.entries()) {
				const view = new DataView(bytes.buffer, bytes.byteOffset, 16);
				state.vector256.set([view.getBigUint64(0, true), view.getBigUint64(8, true)], 4 * index);
			}
		},
	});
	const words = outcome.processor.core.state.vector256;
	const register = (index: number): Buffer => {
		const bytes = Buffer.alloc(16);
		for (const half of [0, 1]) bytes.writeBigUInt64LE(words[4 * index + half] as bigint, 8 * half);
		return bytes;
	};
	return {vector: outcome.vector, register};
}

test('AES: the first round of FIPS 197, appendix B, and the last; back again', (t) => {
	const [state, key] = [bytesOf('193de3bea0f4e22b9ac68d2ae9f84808'), bytesOf('a0fafe1788542cb123a339392a6c7605')];
	const round = run(onVectors('660f38dc', 0, 1), [state, key]).register(0);
	t.is(round.toString('hex'), 'a49c7ff2689f352b6b5bea43026a5049');
	const [before, lastKey] = [bytesOf('eb40f21e592e38848ba113e71bc342d2'), bytesOf('d014f9a8c9ee2589e13f0cc8b6630ca6')];
	const last = run(onVectors('660f38dd', 0, 1), [before, lastKey]).register(0);
	t.is(last.toString('hex'), '3925841d02dc09fbdc118597196a0b32');
	// Less the key the last round is undone by its inverse with a key of zeros.
	const undone = run(
		[...onVectors('660fef', 0, 1), ...onVectors('660f38df', 0, 2)],
		[last, lastKey, Buffer.alloc(16)],
	).register(0);
	t.deepEqual(undone, before);
	// The inverse round undoes the round where the columns' mixing is undone for its key.
	const code = [...onVectors('660f38db', 2, 1), ...onVectors('660f38dc', 0, 3), ...onVectors('660f38db', 0, 0)];
	const [twice] = [run([...code, ...onVectors('660f38df', 0, 3)], [state, key, key, Buffer.alloc(16)]).register(0)];
	t.deepEqual(twice, state);
});

test('PCLMULQDQ multiplies the halves that the constant names', (t) => {
	const [a, b] = [numberOf('7b5b54657374566563746f725d53475d'), numberOf('48692853686179295b477565726f6e5d')];
	for (const [constant, product] of [
		[0x00, '1d4d84c85c3440c0929633d5d36f0451'],
		[0x10, '1bd17c8d556ab5a17fa540ac2a281315'],
		[0x01, '1a2bf6db3a30862fbabf262df4b7d5c9'],
		[0x11, '1d1e1f2c592e7c45d66ee03e410fd4ed'],
	] as const) {
		const found = run(onVectors('660f3a44', 0, 1, constant), [a, b]).register(0);
		t.is(found.reverse().toString('hex'), product, constant.toString(16));
	}
});

const words = (...values: readonly number[]): Buffer => {
	const bytes = Buffer.alloc(4 * values.length);
	for (const [index, value] of values.entries()) bytes.writeUInt32LE(value >>> 0, 4 * index);
	return bytes;
};
const wordsOf = (bytes: Buffer): number[] => [0, 4, 8, 12].map((at) => bytes.readUInt32LE(at));
/** The one block of a short message, as numbers. */
function block(text: string): number[] {
	const bytes = Buffer.alloc(64);
	bytes.write(text);
	bytes[text.length] = 0x80;
	bytes.writeUInt32BE(8 * text.length, 60);
	return Array.from({length: 16}, (_, index) => bytes.readUInt32BE(4 * index));
}
const hexOf = (values: readonly number[]) =>
	values.map((value) => (value >>> 0).toString(16).padStart(8, '0')).join('');

test('SHA-256 of a block is that of Node.js', (t) => {
	const primes = Array.from({length: 312}, (_, number) => number).filter(
		(number) => number > 1 && Array.from({length: number}, (_, by) => by).every((by) => by < 2 || number % by !== 0),
	);
	const fraction = (root: number) => Math.floor((root % 1) * 2 ** 32);
	const constants = primes.map((prime) => fraction(Math.cbrt(prime)));
	const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = primes.map((prime) => fraction(Math.sqrt(prime)));
	const message = block('abc');
	// XMM0 is for the words of rounds, 1 and 2 are the state, 3 to 6 the message, 7 is for what moves.
	const at = (index: number) => 3 + (index & 3);
	const code = Array.from({length: 16}, (_, index) => [
		...onVectors('660f6f', 0, at(index)),
		...[0x66, 0x0f, 0xfe, 0x87, ...words(16 * index)],
		...onVectors('0f38cb', 2, 1),
		...onVectors('660f70', 0, 0, 0x0e),
		...onVectors('0f38cb', 1, 2),
		...(index >= 12
			? []
			: [
					...onVectors('0f38cc', at(index), at(index + 1)),
					...onVectors('660f6f', 7, at(index + 3)),
					...onVectors('660f3a0f', 7, at(index + 2), 4),
					...onVectors('660ffe', at(index), 7),
					...onVectors('0f38cd', at(index), at(index + 3)),
				]),
	]).flat();
	const messages = [0, 4, 8, 12].map((first) => words(...message.slice(first, first + 4)));
	const registers = [Buffer.alloc(16), words(f, e, b, a), words(h, g, d, c), ...messages];
	const {register} = run(code, registers, words(...constants));
	const [f1 = 0, e1 = 0, b1 = 0, a1 = 0] = wordsOf(register(1));
	const [h1 = 0, g1 = 0, d1 = 0, c1 = 0] = wordsOf(register(2));
	const digest = [a + a1, b + b1, c + c1, d + d1, e + e1, f + f1, g + g1, h + h1];
	t.is(hexOf(digest), createHash('sha256').update('abc').digest('hex'));
});

test('SHA-1 of a block is that of Node.js', (t) => {
	const [a, b, c, d, e] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0] as const;
	const message = block('abc');
	// XMM0 is the state, 1 and 2 in turn what E comes of, 3 to 6 the message.
	const at = (index: number) => 3 + (index & 3);
	const code = Array.from({length: 20}, (_, index) => {
		const [now, next] = [1 + (index & 1), 2 - (index & 1)];
		return [
			...(index === 0 ? onVectors('660ffe', now, at(0)) : onVectors('0f38c8', now, at(index))),
			...onVectors('660f6f', next, 0),
			...onVectors('0f3acc', 0, now, Math.floor(index / 5)),
			...(index >= 16
				? []
				: [
						...onVectors('0f38c9', at(index), at(index + 1)),
						...onVectors('660fef', at(index), at(index + 2)),
						...onVectors('0f38ca', at(index), at(index + 3)),
					]),
		];
	}).flat();
	const messages = [0, 4, 8, 12].map((first) => words(...message.slice(first, first + 4).reverse()));
	const registers = [words(d, c, b, a), words(0, 0, 0, e), Buffer.alloc(16), ...messages];
	const {register} = run([...code, ...onVectors('0f38c8', 1, 7)], registers);
	const [d1 = 0, c1 = 0, b1 = 0, a1 = 0] = wordsOf(register(0));
	const e1 = wordsOf(register(1))[3] ?? 0;
	t.is(hexOf([a + a1, b + b1, c + c1, d + d1, e + e1]), createHash('sha1').update('abc').digest('hex'));
});

test('operands in memory are aligned, but those of SHA, as on processors of AMD', (t) => {
	const vectorOf = (code: string) => run([...bytesOf(code)], [], new Uint8Array(32), data + 8).vector;
	for (const aligned of ['660f38dc07', '660f38db07', '660f3adf0701', '660f3a440700'])
		t.is(vectorOf(aligned), 13, aligned);
	for (const any of ['0f38c807', '0f38c907', '0f38ca07', '0f38cb07', '0f38cc07', '0f38cd07', '0f3acc0700'])
		t.is(vectorOf(any), undefined, any);
});
