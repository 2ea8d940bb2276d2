import test from 'ava';
import {VmmError} from '#support/errors';
import {loadKernel} from './load-kernel.ts';
import type {KernelFormat} from './load-request.ts';
import {
	imageFaults,
	machineOf,
	makeBzImage,
	makeElf,
	makeMultiboot,
	mutate,
	noise,
	outcome,
	pvhNote,
	randomFrom,
} from './testing/index.ts';

const code = new Uint8Array(0x800).fill(0x90);
const note = pvhNote(0x100040);
const rounds = 3000;

interface Tally {
	loaded: number;
	readonly codes: Set<string>;
	readonly faults: string[];
}

/** Loads `rounds` kernels from `make`, into machines of random size, and gathers what came of it. */
function attack(
	seed: number,
	formats: readonly [KernelFormat, ...KernelFormat[]],
	make: (random: ReturnType<typeof randomFrom>) => Uint8Array,
): Tally {
	const random = randomFrom(seed);
	const tally: Tally = {loaded: 0, codes: new Set(), faults: []};
	for (let round = 0; round < rounds; round++) {
		const kernel = make(random);
		const machine = machineOf(random.pick([0x100000, 0x200000, 0x8000000, 0x8000000, 0xc0000000]));
		const initrd = new Uint8Array(random.pick([0, 1, 0x1000, 0x300000]));
		const commandLine = random.pick(['', '', 'quiet', 'x'.repeat(3000)]);
		const format = random.pick(formats);
		const result = outcome(() => loadKernel({kernel, initrd, commandLine, machine, format}));
		if (result instanceof VmmError) tally.codes.add(result.code);
		else {
			tally.loaded++;
			const faults = imageFaults(result, machine, kernel.buffer.byteLength + initrd.length);
			tally.faults.push(...faults.map((fault) => `round ${round}: ${fault}`));
		}
	}
	return tally;
}

const mutated = test.macro({
	title: (format = '') => `a mutated ${format} either loads soundly or is refused with a VmmError`,
	exec(t, formats: readonly [KernelFormat, ...KernelFormat[]], kernel: Uint8Array) {
		t.timeout(900_000);
		const {loaded, codes, faults} = attack(kernel.length, formats, (random) => mutate(kernel, random));
		t.deepEqual(faults, []);
		t.true(loaded > rounds / 100, `only ${loaded} of ${rounds} loaded: the mutations are too coarse to mean anything`);
		t.true(codes.size >= 5, `only ${[...codes].join(', ')}`);
	},
});

test('bzImage', mutated, ['auto', 'linux'], makeBzImage({}, 0x1000));
test('32-bit bzImage', mutated, ['auto', 'linux'], makeBzImage({xloadflags: 0}, 0x1000));
test('bzImage of an old protocol', mutated, ['auto', 'linux'], makeBzImage({version: 0x204}, 0x1000));
test(
	'64-bit vmlinux',
	mutated,
	['auto', 'linux'],
	makeElf({
		segments: [
			{physical: 0x100000, data: code},
			{physical: 0x180000, data: code, memorySize: 0x5000},
		],
	}),
);
test('64-bit PVH kernel', mutated, ['auto', 'pvh'], makeElf({segments: [{physical: 0x100000, data: code}, note]}));
test(
	'32-bit PVH kernel',
	mutated,
	['auto', 'pvh'],
	makeElf({bits: 32, segments: [{physical: 0x100000, data: code}, note]}),
);
test('multiboot kernel', mutated, ['auto', 'multiboot'], makeMultiboot());
test(
	'multiboot ELF',
	mutated,
	['auto', 'multiboot'],
	makeElf({bits: 32, segments: [{physical: 0x100000, data: makeMultiboot({flags: 3})}]}),
);

test('noise is refused with a VmmError in every format', (t) => {
	const {codes, faults} = attack(1, ['auto', 'linux', 'pvh', 'multiboot'], (random) => noise(random, 2000));
	t.deepEqual(faults, []);
	t.true(codes.has('KERNEL_UNRECOGNISED'));
});

test('noise behind a valid mark is refused or loads soundly', (t) => {
	const marks = [makeBzImage({}, 0x400), makeElf(), makeElf({bits: 32}), makeMultiboot()] as const;
	const {faults} = attack(2, ['auto'], (random) => {
		const bytes = random.pick(marks).slice(0, 0x600);
		const start = random.pick([4, 0x10, 0x20, 0x206]);
		bytes.set(noise(random, bytes.length - start), start);
		return bytes;
	});
	t.deepEqual(faults, []);
});

test('a flat binary at any address either loads soundly or is refused with a VmmError', (t) => {
	const random = randomFrom(3);
	const codes = new Set<string>();
	const faults: string[] = [];
	for (let round = 0; round < rounds; round++) {
		const address = random.pick([
			random.below(0x200000),
			random.below(2 ** 32),
			2 ** 32 - random.below(0x1000),
			2 ** 52,
		]);
		const machine = machineOf(random.pick([0x8000, 0x100000, 0x8000000]));
		const format = {flat: {address, mode: random.pick(['real', 'long'] as const)}};
		const result = outcome(() => loadKernel({kernel: code, commandLine: '', machine, format}));
		if (result instanceof VmmError) codes.add(result.code);
		else faults.push(...imageFaults(result, machine, code.length));
	}
	t.deepEqual(faults, []);
	t.true(['FLAT_ADDRESS_INVALID', 'BOOT_RANGES_OVERLAP', 'MEMORY_TOO_SMALL'].every((each) => codes.has(each)));
});
