import test from 'ava';
import {decode, Feature} from '#vcpu-worker/software/decode';
import {announcing} from '#vcpu-worker/software/system/testing';
import type {GuestProcessor} from './guest-processor.ts';
import {startLegacy} from './legacy-machine.ts';
import {bytesOf, opcodeCases} from './opcode-map.ts';
import {runBytes} from './raw-code.ts';

const invalidOpcode = 6;
/** What RDI and RBX point to, at a multiple of 64. */
const data = 0x28_0000;
/** PAE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE. */
const cr4 = 0x5_0620n;

/**
 * Instructions of 64-bit code by the feature without which they are undefined: those of each "CPUID Feature Flag" in Intel SDM volume 2 in whose encoding something is
 * else, a prefix, a map, a group or a register file.
 */
const rows: Readonly<Record<string, readonly string[]>> = {
	fpu: ['d9 e8', 'db e3', 'd9 3f', '9b', 'df e0'],
	tsc: ['0f 31'],
	msr: ['0f 32', '0f 30'],
	cx8: ['0f c7 0f', 'f0 0f c7 0f'],
	cx16: ['48 0f c7 0f', 'f0 48 0f c7 0f'],
	cmov: ['0f 40 c3', '0f 4f c3', 'da c1', 'db c1', 'db f1', 'df f1', 'db e9', 'df e9'],
	clfsh: ['0f ae 3f'],
	clflushopt: ['66 0f ae 3f'],
	clwb: ['66 0f ae 37'],
	mmx: ['0f 77', '0f 6e c0', '0f 6f c1', '0f 71 d0 01', '0f 73 d0 01', '0f ef c0', '0f fe c1', '0f 60 c1'],
	fxsr: ['0f ae 07', '0f ae 0f'],
	sse: [
		...['0f 10 07', '0f 28 c1', 'f3 0f 10 07', 'f3 0f 2a c3', '0f 2a c1', '0f 57 c0', 'f3 0f 5e c1', '0f c2 c1 00'],
		...['0f c6 c1 00', '0f 50 c0', '0f 2f c1', '0f ae 1f', '0f ae f8', '0f 2b 07'],
		...[
			'0f 70 c1 00',
			'0f c4 c3 00',
			'0f c5 c0 00',
			'0f d7 c0',
			'0f da c1',
			'0f e0 c1',
			'0f e4 c1',
			'0f f6 c1',
			'0f e7 07',
		],
	],
	sse2: [
		...[
			'66 0f 6f 07',
			'f3 0f 6f 07',
			'66 0f ef c0',
			'66 0f 58 c1',
			'f2 0f 58 c1',
			'f2 0f 10 07',
			'0f 5a c1',
			'0f 5b c1',
		],
		...[
			'66 0f 70 c1 00',
			'f3 0f 70 c1 00',
			'f2 0f 70 c1 00',
			'f3 0f d6 c1',
			'f2 0f d6 c1',
			'f3 0f e6 c1',
			'66 0f 2a c1',
		],
		...[
			'66 0f 73 d8 01',
			'66 0f fe c1',
			'0f d4 c1',
			'0f f4 c1',
			'0f fb c1',
			'0f c3 07',
			'0f ae e8',
			'0f ae f0',
			'66 0f e7 07',
		],
	],
	adx: ['66 0f 38 f6 c1', 'f3 0f 38 f6 07'],
	sse3: [
		...[
			'66 0f 7c c1',
			'f2 0f 7d c1',
			'66 0f d0 c1',
			'f2 0f f0 07',
			'f3 0f 12 c1',
			'f3 0f 16 c1',
			'f2 0f 12 c1',
			'db 0f',
		],
		...['dd 0f', 'df 0f'],
	],
	ssse3: ['0f 38 00 c1', '66 0f 38 00 c1', '66 0f 38 1e c1', '0f 3a 0f c1 01', '66 0f 3a 0f c1 01', '0f 38 0b c1'],
	sse41: [
		...['66 0f 38 10 c1', '66 0f 38 17 c1', '66 0f 38 20 c1', '66 0f 38 29 c1', '66 0f 38 2a 07', '66 0f 38 39 c1'],
		...['66 0f 38 41 c1', '66 0f 3a 08 c1 00', '66 0f 3a 0e c1 00', '66 0f 3a 16 c0 00', '66 0f 3a 22 c3 00'],
		...['66 0f 3a 40 c1 00', '66 0f 3a 42 c1 00'],
	],
	sse42: ['66 0f 38 37 c1', '66 0f 3a 60 c1 00', '66 0f 3a 63 c1 00', 'f2 0f 38 f0 c3', 'f2 48 0f 38 f1 c3'],
	aes: ['66 0f 38 db c1', '66 0f 38 df 07', '66 0f 3a df c1 01'],
	pclmulqdq: ['66 0f 3a 44 c1 11'],
	sha: ['0f 38 c8 c1', '0f 38 cd 07', '0f 3a cc c1 03'],
	popcnt: ['f3 0f b8 c3'],
	movbe: ['0f 38 f0 07', '0f 38 f1 07'],
	lahf: ['9f', '9e'],
	rdtscp: ['0f 01 f9'],
	rdpid: ['f3 0f c7 f8'],
	rdrand: ['0f c7 f0'],
	rdseed: ['0f c7 f8'],
	fsgsbase: ['f3 0f ae c0', 'f3 0f ae c8', 'f3 0f ae d0', 'f3 0f ae d8'],
	invpcid: ['66 0f 38 82 0f'],
	smap: ['0f 01 ca', '0f 01 cb'],
	monitor: ['0f 01 c8', '0f 01 c9'],
	syscall: ['0f 05'],
	xsave: ['0f ae 27', '0f ae 2f', '0f 01 d0', '0f 01 d1'],
	xsaveopt: ['0f ae 37'],
	xsavec: ['0f c7 27'],
	xsaves: ['0f c7 2f', '0f c7 1f'],
	avx: [
		...['c5 f8 58 c1', 'c5 fc 58 c1', 'c5 fe 6f 07', 'c5 f9 fe c1', 'c4 e2 79 18 07', 'c4 e2 7d 1a 07', 'c5 f8 77'],
		...['c4 e3 7d 06 c1 20', 'c4 e2 79 2c 07', 'c5 f8 ae 1f', 'c4 e3 79 4c c1 20'],
	],
	avx2: [
		...['c5 fd fe c1', 'c4 e2 7d 18 c1', 'c4 e2 79 18 c1', 'c4 e2 7d 36 c1', 'c4 e3 fd 00 c1 1b', 'c4 e2 79 47 c1'],
		...['c4 e2 79 8c 07', 'c4 e3 79 02 c1 05', 'c4 e2 7d 78 c1', 'c4 e3 7d 4c c1 20', 'c4 e2 7d 2a 07'],
		...['c4 e2 69 90 04 0f', 'c4 e2 ed 93 04 0f'],
	],
	fma: ['c4 e2 71 98 c2', 'c4 e2 f5 b6 c2', 'c4 e2 71 af c2'],
	f16c: ['c4 e2 79 13 c1', 'c4 e2 7d 13 07', 'c4 e3 79 1d c1 00', 'c4 e3 7d 1d 07 04'],
	bmi1: ['c4 e2 70 f2 c3', 'c4 e2 f0 f3 cb', 'c4 e2 f0 f3 d3', 'c4 e2 f0 f3 1f', 'c4 e2 70 f7 c3'],
	bmi2: [
		...['c4 e2 70 f5 c3', 'c4 e2 72 f5 c3', 'c4 e2 f3 f5 07', 'c4 e2 73 f6 c3', 'c4 e2 71 f7 c3', 'c4 e2 72 f7 c3'],
		...['c4 e2 f3 f7 c3', 'c4 e3 7b f0 c3 01'],
	],
};

const codeOf = (text: string): readonly number[] => text.split(' ').map((byte) => Number.parseInt(byte, 16));

/** Tells whether the first instruction of some is undefined. */
function isUndefined(code: readonly number[], ...dropped: readonly Feature[]): boolean {
	const prepare = ({processor, ram}: GuestProcessor) => {
		const {core} = processor;
		Object.assign(core.state, {cr4, xcr0: 7n});
		core.state.general.set([1n, 0n, 0n, BigInt(data)]);
		core.state.general[7] = BigInt(data);
		ram.fill(0, data, data + 4096);
		// LSTAR leads to a HLT.
		processor.msrs.write(0xc000_0082, BigInt(data + 2048));
		ram[data + 2048] = 0xf4;
	};
	return runBytes(code, {prepare, cpuid: announcing(...dropped)}).vector === invalidOpcode;
}

for (const [name, instructions] of Object.entries(rows))
	test(`without ${name} in CPUID its instructions are undefined, and with it they are there`, (t) => {
		const feature = Feature[name as keyof typeof Feature];
		for (const text of instructions) {
			const code = codeOf(text);
			t.deepEqual([isUndefined(code, feature), isUndefined(code)], [true, false], text);
		}
	});

test('without sep SYSENTER and SYSEXIT are undefined, and with it they are there outside of long mode', (t) => {
	for (const text of ['0f 34', '0f 35']) {
		const vectorOf = (...dropped: readonly Feature[]) => {
			const end = startLegacy(codeOf(text), {cpuid: announcing(...dropped)}).run();
			return end === 'halted' ? end : end.vector;
		};
		// Without SYSENTER_CS it is a general-protection exception.
		t.deepEqual([vectorOf(Feature.sep), vectorOf()], [invalidOpcode, 13], text);
	}
});

test('features that change no instruction, or only some forms, leave the others', (t) => {
	t.false(isUndefined(codeOf('0f 0d 0f'), Feature.prefetchw));
	t.false(isUndefined(codeOf('0f 0d 0f'), Feature.longMode));
	t.true(isUndefined(codeOf('0f 0d 0f'), Feature.prefetchw, Feature.longMode));
	const kept = {cx16: '0f c7 0f', cx8: '48 0f c7 0f', sse42: '0f 38 f0 07', xsaveopt: '0f ae 27', popcnt: '0f bc c3'};
	for (const [name, text] of Object.entries(kept))
		t.false(isUndefined(codeOf(text), Feature[name as keyof typeof Feature]), name);
});

/** Name of the first instruction of some, or why it is none. */
function named(text: string, ...dropped: readonly Feature[]): string {
	const instruction = decode(Uint8Array.from(codeOf(text)), 0, 64, (feature) => !dropped.includes(feature));
	return typeof instruction === 'string' ? instruction : instruction.name;
}

test('SYSRET comes with SYSCALL', (t) => {
	t.deepEqual([named('48 0f 07'), named('48 0f 07', Feature.syscall)], ['sysret', 'undefined']);
});

test('without their features TZCNT and LZCNT are BSF and BSR', (t) => {
	const [tzcnt, lzcnt] = ['f3 0f bc c3', 'f3 0f bd c3'];
	t.deepEqual([named(tzcnt), named(lzcnt)], ['tzcnt', 'lzcnt']);
	t.deepEqual([named(tzcnt, Feature.bmi1), named(lzcnt, Feature.lzcnt)], ['bsf', 'bsr']);
});

test('LAHF and SAHF are there without a feature outside of 64-bit code', (t) => {
	for (const byte of [0x9e, 0x9f]) {
		const ends = [16, 32, 64].map((size) => typeof decode(Uint8Array.of(byte), 0, size as 16, () => false));
		t.deepEqual(ends, ['object', 'object', 'string']);
	}
});

test('every instruction on registers of the x87, MMX or SSE has a feature', (t) => {
	const found: string[] = [];
	for (const one of opcodeCases(64)) {
		const bytes = Uint8Array.from([...bytesOf(one), ...new Array(8).fill(0)]);
		const instruction = decode(bytes, 0, 64, () => false);
		if (typeof instruction === 'string') continue;
		const {isVector, isMmx, x87Opcode, name} = instruction;
		if (isVector || isMmx || x87Opcode !== undefined) found.push(name);
	}
	t.deepEqual(found, []);
});
