import test from 'ava';
import {type PcieConfig, parsePcieRootComplex, vmConfig} from '#main/config';
import {placeMachine} from './index.ts';

const [mib, gib] = [2 ** 20, 2 ** 30];
const place = (
	complexes: readonly string[],
	options: Partial<PcieConfig> = {},
	size = gib,
	physicalAddressBits = 52,
) => {
	const rootComplexes = complexes.map((text) => parsePcieRootComplex(text));
	return placeMachine({size, physicalAddressBits}, vmConfig({pcie: {rootComplexes, ...options}}).pcie);
};

test('without root complexes memory is where it was', (t) => {
	t.is(placeMachine({size: gib}, undefined).memory.lowMmio.gpa, 0xf800_0000);
});

test('windows lie below the chipset and above memory, configuration space behind them', (t) => {
	const {memory, complexes} = place(['rc0'], {}, 6 * gib);
	t.deepEqual(memory.ram, [
		{gpa: 0, length: 3 * gib},
		{gpa: 4 * gib, length: 3 * gib},
	]);
	t.like(complexes[0], {
		lowMmio: {gpa: 0xf400_0000, length: 64 * mib},
		highMmio: {gpa: 7 * gib, length: gib},
		ecam: {gpa: 8 * gib, length: 256 * mib},
		ports: {base: 0x1000, length: 0xf000},
	});
});

test('complexes of a segment share a block of configuration space, each from its own bus on', (t) => {
	const {complexes} = place(['a,start_bus=16,end_bus=31', 'b,start_bus=64,end_bus=64', 'c,segment=1,end_bus=0']);
	const [a, b, c] = complexes;
	t.is((b?.ecam.gpa ?? 0) - (a?.ecam.gpa ?? 0), 48 * mib);
	t.deepEqual([a?.ecam.length, b?.ecam.length, c?.ecam.length], [16 * mib, mib, mib]);
	t.deepEqual([a?.lowMmio.gpa, b?.lowMmio.gpa, c?.lowMmio.gpa], [0xf400_0000, 0xf000_0000, 0xec00_0000]);
	t.deepEqual([b?.ports.length, c?.ports.length], [0, 0]);
});

test('configuration space can lie below 4 GiB, and memory makes room', (t) => {
	const {memory, complexes} = place(['rc0'], {ecamBelow4Gb: true}, 0xf000_0000);
	t.deepEqual(complexes[0]?.ecam, {gpa: 0xe000_0000, length: 256 * mib});
	t.deepEqual(memory.ram[0], {gpa: 0, length: 3 * gib});
});

test('windows can have addresses of their own, and sizes of nothing', (t) => {
	const {complexes} = place(['rc0,low_mmio=0,high_mmio=64M,high_mmio_base=0x8000000000']);
	t.like(complexes[0], {lowMmio: {gpa: 0, length: 0}, highMmio: {gpa: 0x80_0000_0000, length: 64 * mib}});
});

const refused: [string, readonly string[], string, number?][] = [
	['a window in memory', ['a,high_mmio_base=0x100000000'], 'PCIE_WINDOWS_OVERLAP', 6 * gib],
	[
		'two windows at one address',
		['a,low_mmio_base=0xe0000000', 'b,start_bus=1,low_mmio_base=0xe1000000'],
		'PCIE_WINDOWS_OVERLAP',
	],
	['a window over the chipset', ['a,low_mmio_base=0xf8000000'], 'PCIE_WINDOWS_OVERLAP'],
	['too much below 4 GiB', ['a,low_mmio=3900M'], 'PCIE_WINDOWS_TOO_LARGE'],
	['more than addresses reach', ['a,high_mmio=64T'], 'PCIE_ADDRESS_TOO_HIGH'],
];
for (const [what, complexes, code, size] of refused) {
	test(`${what} is refused`, (t) => {
		t.throws(() => place(complexes, {}, size, 40), {code});
	});
}
