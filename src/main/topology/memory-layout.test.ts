import test from 'ava';
import {isVmmError, type VmmErrorCode} from '#support/errors';
import {createMemoryLayout} from './memory-layout.ts';

const mib = 2 ** 20;
const gib = 2 ** 30;

const placed: [string, number, [number, number][]][] = [
	['64 MiB', 64 * mib, [[0, 64 * mib]]],
	['3 GiB', 3 * gib, [[0, 3 * gib]]],
	['all that fits below F8000000', 0xf800_0000, [[0, 0xf800_0000]]],
	[
		'a page more than fits below F8000000',
		0xf800_1000,
		[
			[0, 3 * gib],
			[4 * gib, 0xf800_1000 - 3 * gib],
		],
	],
	[
		'4 GiB',
		4 * gib,
		[
			[0, 3 * gib],
			[4 * gib, gib],
		],
	],
	[
		'5 GiB',
		5 * gib,
		[
			[0, 3 * gib],
			[4 * gib, 2 * gib],
		],
	],
	[
		'12 TiB',
		12 * 1024 * gib,
		[
			[0, 3 * gib],
			[4 * gib, 12 * 1024 * gib - 3 * gib],
		],
	],
];
for (const [title, size, ranges] of placed) {
	test(`${title} of RAM lies around the hole below 4 GiB`, (t) => {
		const layout = createMemoryLayout({size});
		t.deepEqual(
			layout.ram.map(({gpa, length}) => [gpa, length]),
			ranges,
		);
		t.is(layout.ramLength, size);
	});
}

test('the chipset window is 128 MiB that end at 4 GiB', (t) => {
	const layout = createMemoryLayout({size: gib});
	t.deepEqual(layout.lowMmio, {gpa: 0xf800_0000, length: 128 * mib});
	t.is(layout.end, 4 * gib);
});

test('the chipset window never gets smaller than the architectural hole at FE000000', (t) => {
	t.is(createMemoryLayout({size: gib, lowMmioLength: 0x1000}).lowMmio.gpa, 0xfe00_0000);
});

test('less than 1 GiB of RAM is split in pieces of 2 MiB', (t) => {
	const layout = createMemoryLayout({size: 512 * mib, lowMmioLength: 4 * gib - 255 * mib});
	t.deepEqual(layout.ram, [
		{gpa: 0, length: 254 * mib},
		{gpa: 4 * gib, length: 258 * mib},
	]);
});

test('the end of RAM above 4 GiB is the end of the layout', (t) => {
	t.is(createMemoryLayout({size: 5 * gib}).end, 6 * gib);
});

const refused: [string, number, VmmErrorCode][] = [
	['no memory', 0, 'MEMORY_SIZE_INVALID'],
	['negative memory', -4096, 'MEMORY_SIZE_INVALID'],
	['memory that is no number', Number.NaN, 'MEMORY_SIZE_INVALID'],
	['a fraction of a byte', 4096.5, 'MEMORY_SIZE_INVALID'],
	['more bytes than a number counts', 2 ** 60, 'MEMORY_SIZE_INVALID'],
	['memory that is no page multiple', gib + 1, 'MEMORY_SIZE_UNALIGNED'],
	['more than x86 addresses', 2 ** 52, 'MEMORY_SIZE_TOO_LARGE'],
];
for (const [title, size, code] of refused) {
	test(`${title} is refused`, (t) => {
		t.true(
			isVmmError(
				t.throws(() => createMemoryLayout({size})),
				code,
			),
		);
	});
}

test('the largest size an address width allows is named, and works', (t) => {
	const error = t.throws(() => createMemoryLayout({size: 64 * gib, physicalAddressBits: 36}));
	t.regex(error?.message ?? '', /36-bit.* room for 67645734912$/);
	t.notThrows(() => createMemoryLayout({size: 67_645_734_912, physicalAddressBits: 36}));
	t.throws(() => createMemoryLayout({size: 67_645_734_912 + 4096, physicalAddressBits: 36}));
});

const nodes: [string, number[], [number, number][][]][] = [
	['small nodes side by side', [512 * mib, 256 * mib], [[[0, 512 * mib]], [[512 * mib, 256 * mib]]]],
	['a large node at a multiple of 1 GiB', [512 * mib, gib], [[[0, 512 * mib]], [[gib, gib]]]],
	['a node without memory', [gib, 0, gib], [[[0, gib]], [], [[gib, gib]]]],
	[
		'a node around the hole, and one above it',
		[2 * gib, 2 * gib, gib],
		[
			[[0, 2 * gib]],
			[
				[2 * gib, gib],
				[4 * gib, gib],
			],
			[[5 * gib, gib]],
		],
	],
	['a node with no room below the hole', [3 * gib, gib], [[[0, 3 * gib]], [[4 * gib, gib]]]],
	['a small node in the crumbs below the hole', [3 * gib, 512 * mib], [[[0, 3 * gib]], [[3 * gib, 512 * mib]]]],
];
for (const [title, size, expected] of nodes) {
	test(`NUMA: ${title}`, (t) => {
		const layout = createMemoryLayout({size});
		t.deepEqual(
			layout.nodes.map((ranges) => ranges.map(({gpa, length}) => [gpa, length])),
			expected,
		);
		t.is(
			layout.ram.reduce((sum, {length}) => sum + length, 0),
			layout.ramLength,
		);
		t.true(
			layout.ram.every(({gpa}, i) => i === 0 || gpa > (layout.ram[i - 1]?.gpa ?? 0) + (layout.ram[i - 1]?.length ?? 0)),
		);
	});
}

test('NUMA nodes that adjoin are one range of RAM', (t) => {
	t.deepEqual(createMemoryLayout({size: [gib, gib]}).ram, [{gpa: 0, length: 2 * gib}]);
});

test('NUMA nodes that end beyond the addresses of the host are refused', (t) => {
	t.throws(() => createMemoryLayout({size: [60 * gib, 8 * gib], physicalAddressBits: 36}), {
		code: 'MEMORY_SIZE_TOO_LARGE',
	});
	t.throws(() => createMemoryLayout({size: [gib, 3 * mib]}), {code: 'MEMORY_SIZE_UNALIGNED'});
});
