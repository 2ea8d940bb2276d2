import test from 'ava';
import type {CpuidEntry} from './cpuid-entry.ts';
import {missingNeeds, needsOf, processorNeeds} from './processor-needs.ts';

const leaf = (fn: number, values: Partial<CpuidEntry>): CpuidEntry => ({
	function: fn,
	index: 0,
	significantIndex: false,
	eax: 0,
	ebx: 0,
	ecx: 0,
	edx: 0,
	...values,
});
const missing = (wanted: readonly CpuidEntry[], offered: readonly CpuidEntry[]) => {
	const saved: unknown = JSON.parse(JSON.stringify(processorNeeds.save(needsOf(wanted))));
	return missingNeeds(processorNeeds.parse(saved, 'needs'), offered);
};
const amd = leaf(0, {ebx: 0x6874_7541, edx: 0x6974_6e65, ecx: 0x444d_4163});
const intel = leaf(0, {ebx: 0x756e_6547, edx: 0x4965_6e69, ecx: 0x6c65_746e});

test('nothing is missing where there is as much or more', (t) => {
	const wanted = [amd, leaf(1, {ecx: 0x0000_0001}), leaf(7, {ebx: 0x8000_0000})];
	const offered = [amd, leaf(1, {ecx: 0x0000_0003}), leaf(7, {ebx: 0xffff_ffff})];
	t.deepEqual(missing(wanted, offered), []);
});

test('every missing bit is named', (t) => {
	const wanted = [amd, leaf(1, {ecx: 0x8000_0001}), leaf(7, {ebx: 1 << 16})];
	const offered = [amd, leaf(1, {ecx: 0x0000_0001})];
	t.deepEqual(missing(wanted, offered), ['CPUID.1.0:ECX[31] (hypervisor)', 'CPUID.7.0:EBX[16] (avx512f)']);
});

test('features of later leaves count too', (t) => {
	const wanted = [
		amd,
		leaf(7, {index: 1, significantIndex: true, edx: 1 << 4}),
		leaf(7, {index: 2, significantIndex: true, edx: 1 << 5}),
		leaf(0x8000_0021, {eax: 1 << 8}),
	];
	t.deepEqual(missing(wanted, wanted), []);
	t.deepEqual(missing(wanted, [amd]), [
		'CPUID.7.1:EDX[4] (avx_vnni_int8)',
		'CPUID.7.2:EDX[5] (mcdt_no)',
		'CPUID.80000021.0:EAX[8] (autoibrs)',
	]);
});

test("bits that follow the guest's CR4 are not the host's to have", (t) => {
	t.deepEqual(missing([amd, leaf(1, {ecx: 1 << 27})], [amd, leaf(1, {})]), []);
});

test('a processor of another maker has nothing in common', (t) => {
	t.deepEqual(missing([amd], [intel]), ['a processor of "AuthenticAMD"']);
});

const avx = [leaf(0xd, {eax: 0b111, significantIndex: true}), leaf(0xd, {index: 2, ebx: 576, significantIndex: true})];

test('a state component has to be there, at its place in the image', (t) => {
	const protectionKeys = (offset: number) => [
		leaf(0xd, {eax: 0x207, significantIndex: true}),
		leaf(0xd, {index: 2, ebx: 576, significantIndex: true}),
		leaf(0xd, {index: 9, ebx: offset, significantIndex: true}),
	];
	t.deepEqual(missing([amd, ...avx], [amd, ...protectionKeys(832)]), []);
	t.deepEqual(missing([amd, ...protectionKeys(832)], [amd, ...avx]), ['XSAVE component 9 at offset 832']);
	t.deepEqual(missing([amd, ...protectionKeys(832)], [amd, ...protectionKeys(2688)]), [
		'XSAVE component 9 at offset 832',
	]);
});

test('addresses have to be as wide', (t) => {
	const width = (bits: number) => [amd, leaf(0x8000_0008, {eax: bits})];
	t.deepEqual(missing(width(40), width(46)), []);
	t.deepEqual(missing(width(46), width(40)), ['physical addresses of 46 bits']);
});
