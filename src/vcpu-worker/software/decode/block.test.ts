import test from 'ava';
import {kindNumber, systemKind} from '#vcpu-worker/software/semantics';
import {PrefixTable} from '#vcpu-worker/software/shared';
import {BlockDecoder, type DecodedBlock, maxBlockRecords} from './block.ts';
import {decode} from './decoder.ts';
import {type Announced, Feature} from './features.ts';
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
function own(decoder: BlockDecoder, block: DecodedBlock): readonly number[][] {
	const words = decoder.recordsOf(block);
	return Array.from({length: block.count}, (_, index) => {
		const record = [...words.subarray(index * RecordWord.words, (index + 1) * RecordWord.words)];
		// Their place in the block.
		record[RecordWord.kind] = (record[RecordWord.kind] as number) & 0xff_ffff;
		record[RecordWord.start] = 0;
		return record;
	});
}

/** Decoders of two processors that share what they learn. */
function sharing(...announced: readonly (Announced | undefined)[]) {
	const forms = PrefixTable.allocate();
	return {
		forms: new PrefixTable(forms),
		processors: announced.map((each) => new BlockDecoder(each, [new PrefixTable(forms)])),
	};
}

test('whatever constants an instruction has, and wherever it is, it has the steps that it has alone', (t) => {
	// The first one makes the form known, by which the others are decoded: another processor's, until there is no room for more, and its own.
	const {processors} = sharing(undefined, undefined);
	const decoders = [...processors, processors[0]] as BlockDecoder[];
	const next = bytesFrom(1);
	for (const codeSize of [64, 32, 16] as const) {
		for (const row of rows) {
			for (let opcode = 0; opcode < 256; opcode++) {
				const modRm = next();
				const sib = next();
				for (const [index, offset] of [3, 0x7c3, 0xff8].entries()) {
					const page = new Uint8Array(4096);
					const bytes = [...row, opcode, modRm, sib];
					for (let at = 0; at < 16; at++) page[offset + at] = bytes[at] ?? next();
					const decoder = decoders[index] as BlockDecoder;
					const found = own(decoder, decoder.decode(page, offset, {codeSize, limit: 1}));
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

/** Records of one instruction, as a decoder makes them. */
const decoded = (decoder: BlockDecoder, ...bytes: readonly number[]) =>
	own(decoder, decoder.decode(Uint8Array.from([...bytes, 0, 0, 0, 0]), 0, {limit: 1}));
const bytesOf = ({buffer, byteLength}: Int16Array) => new Uint8Array(buffer, 0, byteLength);
const tzcnt = [0xf3, 0x0f, 0xbc, 0xc1];

test('what one processor has met others find, and it is not met again', (t) => {
	const {processors, forms} = sharing(undefined, undefined);
	const [one, other] = processors as [BlockDecoder, BlockDecoder];
	const [add, syscall] = [
		[0x05, 1, 2, 3, 4],
		[0x0f, 0x05],
	];
	const wanted = [add, syscall].map((bytes) => decoded(one, ...bytes));
	const before = forms.next.slice();
	t.deepEqual(
		[add, syscall].map((bytes) => decoded(other, ...bytes)),
		wanted,
	);
	t.is(Buffer.compare(bytesOf(forms.next), bytesOf(before)), 0);
	const words = forms.wordsOf(0);
	words[words.length - 1] = 8;
	t.notDeepEqual(decoded(other, ...add), wanted[0]);
});

test('where others have filled the first table, processors share what they meet in the next one', (t) => {
	const [full, next] = [PrefixTable.allocate(), PrefixTable.allocate()].map((memory) => new PrefixTable(memory));
	const tables = [full, next] as PrefixTable[];
	const paths = Array.from({length: 0x1_0000}, (_, number) => Uint8Array.of(0xf0, number >> 8, number & 0xff));
	t.true(paths.some((path) => full?.keep(1, path, Int32Array.of(0)) === false));
	const [one, other] = [new BlockDecoder(undefined, tables), new BlockDecoder(undefined, tables)];
	const [add, scan] = [[0x05, 1, 2, 3, 4], tzcnt];
	const wanted = [decoded(one, ...add), decoded(other, ...scan)];
	t.is([...(next?.paths() ?? [])].length, 2);
	t.deepEqual([decoded(other, ...add), decoded(one, ...scan)], wanted);
});

test('processors with other features share nothing', (t) => {
	const {processors} = sharing(undefined, (feature) => feature !== Feature.bmi1);
	const [one, other] = processors as [BlockDecoder, BlockDecoder];
	const [counts, scans] = [one, other].map((decoder) => decoded(decoder, ...tzcnt));
	t.notDeepEqual(counts, scans);
	t.deepEqual(decoded(new BlockDecoder(), ...tzcnt), counts);
	t.deepEqual(decoded(new BlockDecoder((feature) => feature !== Feature.bmi1), ...tzcnt), scans);
});

test('a block counts instructions without steps, and ends behind its last one', (t) => {
	// NOP, ADD EAX,1, NOP.
	const decoder = new BlockDecoder();
	const block = decoder.decode(Uint8Array.of(0x90, 0x83, 0xc0, 1, 0x90), 0, {limit: 3});
	const words = decoder.recordsOf(block);
	const ordinals = Array.from({length: block.count}, (_, step) => (words[step * RecordWord.words] as number) >>> 24);
	t.deepEqual([ordinals, block.end], [[2, 3], 5]);
});

test('a block ends before it has more records than there is room for', (t) => {
	const vzeroall = [0xc5, 0xfc, 0x77];
	const decoder = new BlockDecoder();
	const {count, end} = decoder.decode(
		Uint8Array.from({length: 4096}, (_, at) => vzeroall[at % 3] as number),
		0,
	);
	t.true(count > maxBlockRecords / 2 && count <= maxBlockRecords);
	t.is(end % 3, 0);
});

test('a block ends behind an instruction for TypeScript that goes straight on, so that what follows is one of its own', (t) => {
	// RDTSC, ADD EAX,1, RDTSC.
	const decoder = new BlockDecoder();
	const block = decoder.decode(Uint8Array.of(0x0f, 0x31, 0x83, 0xc0, 1, 0x0f, 0x31), 0);
	const stepKinds = own(decoder, block).map(([first]) => (first as number) & 0xffff);
	t.deepEqual([stepKinds, block.end], [[systemKind, kindNumber('next.64')], 2]);
});
