import test from 'ava';
import {BlockDecoder, type DecodedBlock} from './block.ts';
import {decode} from './decoder.ts';
import type {CodeSize} from './instruction.ts';
import {lower} from './lower.ts';
import {RecordWord, systemStep, wordsOf} from './step.ts';

const prefixes = [[], [0x66], [0xf2], [0xf3], [0x48], [0x4d], [0x67], [0xf0], [0x64], [0x66, 0x49]];
const maps = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]];
/** With all registers, and those with a map and prefix. */
const vexPrefixes = [[0xc5], ...[0xe1, 0x42, 0x63].map((second) => [0xc4, second])];
const rows = [
	...prefixes.flatMap((prefix) => maps.map((map) => [...prefix, ...map])),
	...vexPrefixes.flatMap((prefix) => [0x78, 0x7d, 0xf9, 0xfe].map((last) => [...prefix, last])),
];

/** Numbers below 256, the same on every machine. */
function bytesFrom(seed: number): () => number {
	let state = seed;
	return () => {
		state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
		return (state >>> 16) & 0xff;
	};
}

/** Records as the instruction alone has them, but for checks before it and what ends the block. */
function expected(page: Uint8Array, offset: number, codeSize: CodeSize): readonly number[][] {
	const instruction = decode(page.subarray(offset), offset, codeSize);
	const steps = typeof instruction === 'string' ? undefined : lower(instruction, offset)?.steps;
	return (steps ?? [systemStep]).map(wordsOf);
}

/** The same of a block that has been decoded. */
function own({words, count}: DecodedBlock): readonly number[][] {
	return Array.from({length: count}, (_, index) => {
		const record = [...words.subarray(index * RecordWord.words, (index + 1) * RecordWord.words)];
		// Their place in the block.
		record[RecordWord.kind] = (record[RecordWord.kind] as number) & 0xff_ffff;
		record[RecordWord.start] = 0;
		return record;
	});
}

test('whatever constants an instruction has, and wherever it is, it has the steps that it has alone', (t) => {
	const decoder = new BlockDecoder();
	const next = bytesFrom(1);
	for (const codeSize of [64, 32, 16] as const) {
		for (const row of rows) {
			for (let opcode = 0; opcode < 256; opcode++) {
				const modRm = next();
				const sib = next();
				// The first one makes the form known, by which the others are decoded.
				for (const offset of [3, 0x7c3, 0xff8]) {
					const page = new Uint8Array(4096);
					const bytes = [...row, opcode, modRm, sib];
					for (let at = 0; at < 16; at++) page[offset + at] = bytes[at] ?? next();
					const found = own(decoder.decode(page, offset, {codeSize, limit: 1}));
					const wanted = expected(page, offset, codeSize);
					const text = wanted.map((record) => record.join());
					const isThere = found
						.map((record) => record.join())
						.join(';')
						.includes(text.join(';'));
					if (!isThere) t.deepEqual(found, wanted, `${codeSize}: ${bytes.map((byte) => byte.toString(16))}`);
				}
			}
		}
	}
	t.pass();
});

test('a block counts instructions without steps, and ends behind its last one', (t) => {
	// NOP, ADD EAX,1, NOP.
	const {words, count, end} = new BlockDecoder().decode(Uint8Array.of(0x90, 0x83, 0xc0, 1, 0x90), 0, {limit: 3});
	const ordinals = Array.from({length: count}, (_, step) => (words[step * RecordWord.words] as number) >>> 24);
	t.deepEqual([ordinals, end], [[2, 3], 5]);
});
