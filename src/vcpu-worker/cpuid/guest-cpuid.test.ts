import test from 'ava';
import type {CpuidEntry} from './cpuid-entry.ts';
import type {CpuidTopology} from './cpuid-topology.ts';
import {guestCpuid} from './guest-cpuid.ts';
import type {CpuidOptions} from './policy.ts';
import {cpuVendor, isAmdHost, physicalAddressBits} from './processor-facts.ts';
import {cpuidRules} from './rules.ts';

type Registers = Partial<Record<'eax' | 'ebx' | 'ecx' | 'edx', number>>;
const leaf = (leafNumber: number, registers: Registers, index?: number): CpuidEntry => ({
	function: leafNumber,
	index: index ?? 0,
	significantIndex: index !== undefined,
	...{eax: 0, ebx: 0, ecx: 0, edx: 0},
	...registers,
});
const all = 0xffff_ffff;
const kvm = [
	leaf(0x4000_0000, {eax: 0x4000_0001, ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d}),
	leaf(0x4000_0001, {eax: 0x0100_7efb, edx: 1}),
];
/** KVM never offers the hypervisor bit. */
const features = {eax: 0xa06_f2, ebx: 0x0510_0800, ecx: 0x7fff_ffff, edx: all};
const intel: readonly CpuidEntry[] = [
	leaf(0x0, {eax: 0x1f, ebx: 0x756e_6547, ecx: 0x6c65_746e, edx: 0x4965_6e69}),
	leaf(0x1, features),
	leaf(0x4, {eax: 0xfc1f_c121, ebx: 1}, 0),
	leaf(0x4, {eax: 0xfc1f_c143, ebx: 2}, 1),
	leaf(0x4, {eax: 0xfc1f_c163, ebx: 3}, 2),
	leaf(0x4, {}, 3),
	leaf(0x5, {eax: 0x40, ebx: 0x40, ecx: 3}),
	leaf(0x7, {ebx: all, ecx: all, edx: all}, 0),
	leaf(0xa, {eax: 0x0730_0404}),
	leaf(0xb, {eax: 1, ebx: 2, ecx: 0x100, edx: 99}, 0),
	leaf(0xb, {eax: 7, ebx: 128, ecx: 0x201, edx: 99}, 1),
	leaf(0xd, {eax: 7, ebx: 0x340, ecx: 0x340}, 0),
	leaf(0x12, {eax: 3}, 0),
	leaf(0x12, {eax: 1}, 2),
	leaf(0x1f, {eax: 1, ebx: 2, ecx: 0x100, edx: 99}, 0),
	leaf(0x1f, {eax: 9, ebx: 512, ecx: 0x502, edx: 99}, 2),
	...kvm,
	leaf(0x4000_0010, {eax: 1}),
	leaf(0x8000_0000, {eax: 0x8000_0008}),
	leaf(0x8000_0001, {ecx: 0x121, edx: 0x2c10_0800}),
	leaf(0x8000_0002, {eax: 1, ebx: 2, ecx: 3, edx: 4}),
	leaf(0x8000_0008, {eax: 0x392e, ecx: 0}),
];
const amd: readonly CpuidEntry[] = [
	leaf(0x0, {eax: 0x10, ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65}),
	leaf(0x1, features),
	leaf(0x7, {ebx: all}, 0),
	leaf(0xb, {}, 0),
	...kvm,
	leaf(0x8000_0000, {eax: 0x8000_0026}),
	leaf(0x8000_0001, {ecx: all, edx: all}),
	leaf(0x8000_0008, {eax: 0x3030, ebx: all, ecx: 0x707f}),
	leaf(0x8000_000a, {eax: 1, ebx: 0x8000}),
	leaf(0x8000_001d, {eax: 0x0000_4121}, 0),
	leaf(0x8000_001d, {eax: 0x0003_c163}, 3),
	leaf(0x8000_001e, {eax: 99, ebx: 0x0199, ecx: 0x0399}),
	leaf(0x8000_001f, {eax: 0xf}),
	leaf(0x8000_0022, {eax: 1}),
	leaf(0x8000_0026, {eax: 1}, 0),
];

const plain: CpuidOptions = {x2apic: true, tscDeadline: true};
const single: CpuidTopology = {apicId: 0, threadBits: 0, socketShift: 0};
/** The sixth thread of the second socket: 4 cores of 2 threads. */
const sixth: CpuidTopology = {apicId: 13, threadBits: 1, socketShift: 3};

interface Machine {
	readonly host?: readonly CpuidEntry[];
	readonly at?: CpuidTopology;
	readonly options?: Partial<CpuidOptions>;
}
const guest = ({host = intel, at = single, options = {}}: Machine = {}) => guestCpuid(host, {...plain, ...options})(at);
const answer = (machine: Machine, leafNumber: number, index = 0): CpuidEntry | undefined =>
	guest(machine).find((entry) => entry.function === leafNumber && entry.index === index);
const bit = (value: number | undefined, n: number) => ((value ?? 0) >>> n) & 1;
const bits = (value: number | undefined, high: number, low: number) =>
	((value ?? 0) >>> low) & (2 ** (high - low + 1) - 1);

test('every rule has a name of its own and a reason', (t) => {
	t.is(new Set(cpuidRules.map((rule) => rule.name)).size, cpuidRules.length);
	t.deepEqual(
		cpuidRules.filter((rule) => rule.reason === ''),
		[],
	);
});

test('hypervisor-present: leaf 1 tells of a hypervisor', (t) => {
	t.is(bit(answer({}, 1)?.ecx, 31), 1);
});

test('hypervisor-other-leaves: only the two leaves of KVM remain', (t) => {
	t.deepEqual(
		guest().flatMap((entry) => (entry.function >>> 28 === 4 ? [entry.function] : [])),
		[0x4000_0000, 0x4000_0001],
	);
});

test('kvm-signature: an old host that reports no last leaf is corrected', (t) => {
	const host = [leaf(0x4000_0000, {ebx: 0x4b4d_564b, ecx: 0x564b_4d56, edx: 0x4d})];
	t.deepEqual(answer({host}, 0x4000_0000), kvm[0]);
});

test('kvm-features: kvmclock and friends pass, async page faults and hints do not', (t) => {
	const features = answer({}, 0x4000_0001);
	t.is(features?.eax, 0x0100_3aeb);
	t.is(features?.edx, 0);
});

test('x2apic-offered and x2apic-hidden follow the option', (t) => {
	const without = intel.map((entry) => (entry.function === 1 ? {...entry, ecx: 0} : entry));
	t.is(bit(answer({host: without}, 1)?.ecx, 21), 1);
	t.is(bit(answer({options: {x2apic: false}}, 1)?.ecx, 21), 0);
});

test('tsc-deadline-offered and tsc-deadline-hidden follow the capability', (t) => {
	const without = intel.map((entry) => (entry.function === 1 ? {...entry, ecx: 0} : entry));
	t.is(bit(answer({host: without}, 1)?.ecx, 24), 1);
	t.is(bit(answer({options: {tscDeadline: false}}, 1)?.ecx, 24), 0);
});

test('monitor-hidden and monitor-leaf: there is no MWAIT', (t) => {
	t.is(bit(answer({}, 1)?.ecx, 3), 0);
	t.is(bit(answer({host: amd}, 0x8000_0001)?.ecx, 29), 0);
	t.is(answer({}, 5), undefined);
});

test('nested-hidden and svm-leaf: there is neither VMX nor SVM', (t) => {
	t.is(bit(answer({}, 1)?.ecx, 5), 0);
	t.is(bit(answer({host: amd}, 0x8000_0001)?.ecx, 2), 0);
	t.is(answer({host: amd}, 0x8000_000a), undefined);
});

test('sgx-hidden and sgx-leaf: there are no enclaves', (t) => {
	const features = answer({}, 7);
	t.deepEqual([bit(features?.ebx, 2), bit(features?.ecx, 30)], [0, 0]);
	t.is(
		guest().find((entry) => entry.function === 0x12),
		undefined,
	);
});

test('memory-encryption-leaf: there is no SEV', (t) => {
	t.is(answer({host: amd}, 0x8000_001f), undefined);
});

test('psfd-without-spec-ctrl: PSFD goes where no other bit brings its MSR, and stays otherwise', (t) => {
	const onlyPsfd = amd.map((entry) => (entry.function === 0x8000_0008 ? {...entry, ebx: 1 << 28} : entry));
	t.is(bit(answer({host: onlyPsfd}, 0x8000_0008)?.ebx, 28), 0);
	t.is(bit(answer({host: amd}, 0x8000_0008)?.ebx, 28), 1);
});

test('topology-basic: leaf 1 has the APIC id, the ids per socket and the cache line', (t) => {
	t.is(answer({at: sixth}, 1)?.ebx, 0x0d08_0800);
	t.is(answer({}, 1)?.ebx, 0x0001_0800);
});

test('topology-basic: a count past 8 bits is 255, and an id keeps its low byte', (t) => {
	t.is(answer({at: {apicId: 0x2_01, threadBits: 0, socketShift: 10}}, 1)?.ebx, 0x01ff_0800);
});

test('topology-basic: a missing CLFLUSH line becomes 64 bytes', (t) => {
	const host = [leaf(1, {})];
	t.is(bits(answer({host}, 1)?.ebx, 15, 8), 8);
});

test('topology-htt, topology-no-htt and topology-cmp-legacy follow the socket', (t) => {
	t.is(bit(answer({at: sixth}, 1)?.edx, 28), 1);
	t.is(bit(answer({}, 1)?.edx, 28), 0);
	t.is(bit(answer({host: amd, at: sixth}, 0x8000_0001)?.ecx, 1), 1);
	t.is(bit(answer({host: amd}, 0x8000_0001)?.ecx, 1), 0);
	t.is(bit(answer({at: sixth}, 0x8000_0001)?.ecx, 1), 0);
});

test('topology-caches: levels 1 and 2 belong to a core, level 3 to the socket', (t) => {
	const sharing = [0, 1, 2].map((index) => bits(answer({at: sixth}, 4, index)?.eax, 25, 14));
	const cores = [0, 1, 2].map((index) => bits(answer({at: sixth}, 4, index)?.eax, 31, 26));
	t.deepEqual(sharing, [1, 1, 7]);
	t.deepEqual(cores, [3, 3, 3]);
	t.deepEqual(answer({at: sixth}, 4, 3), leaf(4, {}, 3));
	t.is(answer({at: sixth}, 4, 1)?.ebx, 2);
});

test('topology-caches: more cores than 6 bits count are 64', (t) => {
	t.is(bits(answer({at: {apicId: 0, threadBits: 0, socketShift: 10}}, 4)?.eax, 31, 26), 63);
});

test('topology-levels: leaf B gives thread width, socket width and the whole APIC id', (t) => {
	const levels = guest({at: sixth}).filter((entry) => entry.function === 0xb);
	t.deepEqual(levels, [
		leaf(0xb, {eax: 1, ebx: 2, ecx: 0x100, edx: 13}, 0),
		leaf(0xb, {eax: 3, ebx: 8, ecx: 0x201, edx: 13}, 1),
		leaf(0xb, {eax: 0, ebx: 0, ecx: 2, edx: 13}, 2),
	]);
});

test('topology-levels-v2: leaf 1F says the same as leaf B where it exists', (t) => {
	const v2 = (host: readonly CpuidEntry[]) => guest({host, at: sixth}).filter((entry) => entry.function === 0x1f);
	t.deepEqual(
		v2(intel).map(({eax, edx}) => [eax, edx]),
		[
			[1, 13],
			[3, 13],
			[0, 13],
		],
	);
	t.deepEqual(v2(amd), []);
});

test('topology-amd-sizes: 80000008 counts the socket on AMD and stays untouched on Intel', (t) => {
	t.is(answer({host: amd, at: sixth}, 0x8000_0008)?.ecx, 0x3007);
	t.is(answer({at: sixth}, 0x8000_0008)?.ecx, 0);
});

test('topology-amd-caches: caches are shared as on Intel', (t) => {
	const sharing = [0, 3].map((index) => answer({host: amd, at: sixth}, 0x8000_001d, index)?.eax);
	t.deepEqual(sharing, [0x0000_4121, 0x0001_c163]);
});

test('topology-amd-core: 8000001E names APIC id, core, threads and node', (t) => {
	t.deepEqual(answer({host: amd, at: sixth}, 0x8000_001e), leaf(0x8000_001e, {eax: 13, ebx: 0x0102, ecx: 1}));
});

test('topology-amd-v2: the host topology of 80000026 does not show', (t) => {
	t.is(answer({host: amd}, 0x8000_0026), undefined);
});

test('what no rule names passes: XSAVE, brand string, address widths, architectural capabilities', (t) => {
	const passing = (leafNumber: number) => intel.find((entry) => entry.function === leafNumber);
	t.deepEqual(answer({}, 0xd), passing(0xd));
	t.deepEqual(answer({}, 0x8000_0002), passing(0x8000_0002));
	t.deepEqual(answer({}, 0x8000_0008), passing(0x8000_0008));
	t.is(answer({}, 7)?.edx, all);
});

test('every register is unsigned, and entries ascend without doubles', (t) => {
	const entries = [...guest({at: sixth}), ...guest({host: amd, at: sixth})];
	t.true(entries.every((entry) => [entry.eax, entry.ebx, entry.ecx, entry.edx].every((r) => r >= 0 && r <= all)));
	const keys = guest().map((entry) => entry.function * 256 + entry.index);
	t.deepEqual(
		keys,
		[...new Set(keys)].sort((a, b) => a - b),
	);
});

test('the offered entries are left as they were', (t) => {
	const copy = structuredClone(intel);
	guest({at: sixth});
	t.deepEqual(intel, copy);
});

test('vendor and address width are read from the entries', (t) => {
	t.deepEqual([cpuVendor(intel), cpuVendor(amd), cpuVendor([])], ['GenuineIntel', 'AuthenticAMD', '']);
	t.deepEqual([isAmdHost(intel), isAmdHost(amd)], [false, true]);
	t.deepEqual([physicalAddressBits(intel), physicalAddressBits([])], [46, 36]);
});
