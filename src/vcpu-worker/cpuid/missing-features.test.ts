import test from 'ava';
import type {CpuidEntry} from './cpuid-entry.ts';
import {missingFeatures} from './missing-features.ts';

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
const amd = leaf(0, {ebx: 0x6874_7541, edx: 0x6974_6e65, ecx: 0x444d_4163});
const intel = leaf(0, {ebx: 0x756e_6547, edx: 0x4965_6e69, ecx: 0x6c65_746e});

test('nothing is missing where there is as much or more', (t) => {
	const wanted = [amd, leaf(1, {ecx: 0x0000_0001}), leaf(7, {ebx: 0x8000_0000})];
	const offered = [amd, leaf(1, {ecx: 0x0000_0003}), leaf(7, {ebx: 0xffff_ffff})];
	t.deepEqual(missingFeatures(wanted, offered), []);
});

test('every missing bit is named', (t) => {
	const wanted = [amd, leaf(1, {ecx: 0x8000_0001}), leaf(7, {ebx: 1 << 16})];
	const offered = [amd, leaf(1, {ecx: 0x0000_0001})];
	t.deepEqual(missingFeatures(wanted, offered), ['CPUID.1.0:ECX[31]', 'CPUID.7.0:EBX[16]']);
});

test("bits that follow the guest's CR4 are not the host's to have", (t) => {
	t.deepEqual(missingFeatures([amd, leaf(1, {ecx: 1 << 27})], [amd, leaf(1, {})]), []);
});

test('a processor of another maker has nothing in common', (t) => {
	t.deepEqual(missingFeatures([amd], [intel]), ['a processor of "AuthenticAMD"']);
});
