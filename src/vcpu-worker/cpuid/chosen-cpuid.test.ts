import test from 'ava';
import {missingFeatures} from './chosen-cpuid.ts';
import type {CpuidEntry} from './cpuid-entry.ts';
import {
	announced,
	cpuFeature,
	cpuFeatures,
	featureNames,
	featureWords,
	otherNames,
	withDependents,
} from './feature-table.ts';
import {guestCpuid} from './guest-cpuid.ts';
import {Leaf} from './leaves.ts';
import {type CpuChoice, cpuModels, decidedElsewhere, guestAddressBits, hostCpu} from './models.ts';
import {brandLeaves, cpuVendor, describeCpuid, physicalAddressBits} from './processor-facts.ts';

const vendors = {
	AuthenticAMD: {ebx: 0x6874_7541, edx: 0x6974_6e65, ecx: 0x444d_4163},
	GenuineIntel: {ebx: 0x756e_6547, edx: 0x4965_6e69, ecx: 0x6c65_746e},
} as const;
const none = {eax: 0, ebx: 0, ecx: 0, edx: 0};
const leaf = (number: number, registers: Partial<typeof none>, index = 0): CpuidEntry => ({
	...{function: number, index, significantIndex: number === 7 || number === 0xd},
	...none,
	...registers,
});

/** A host that has every feature there is, with components of XSAVE as Intel's processors place them. */
function fullHost(vendor: keyof typeof vendors, bits = 46): CpuidEntry[] {
	const places = new Map(featureWords.map(({leaf: of, subleaf}) => [`${of}.${subleaf}`, {of, subleaf}]));
	const words = [...places.values()].map(({of, subleaf}) => {
		const registers = featureWords.filter((word) => word.leaf === of && word.subleaf === subleaf);
		return leaf(of, Object.fromEntries(registers.map(({register}) => [register, 0xffff_ffff])), subleaf);
	});
	const sized = words.map((one) => (one.function === Leaf.addressSizes ? {...one, eax: 0x3900 | bits} : one));
	return [
		leaf(0, {eax: 0x1f, ...vendors[vendor]}),
		...sized,
		leaf(0x4, {eax: 0x121}),
		leaf(0xd, {eax: 0x602e7, ebx: 2696, ecx: 11_008}),
		leaf(0xd, {eax: 256, ebx: 576}, 2),
		leaf(0xd, {eax: 64, ebx: 1088}, 5),
		leaf(0xd, {eax: 8, ebx: 2688}, 9),
		leaf(0x14, {eax: 1}),
		leaf(0x1d, {eax: 1}),
		leaf(0x1d, {eax: 0x0400_2000}, 1),
		leaf(0x1e, {ebx: 0x4010}),
		leaf(0x4000_0000, {}),
		leaf(0x8000_0000, {eax: 0x8000_0028, ...vendors[vendor]}),
		...brandLeaves('Some processor'),
		leaf(0x8000_0006, {ecx: 0x200_6140}),
	];
}

const place = {apicId: 0, threadBits: 0, socketShift: 0};
const shownTo = (host: readonly CpuidEntry[], cpu: Partial<CpuChoice>) =>
	guestCpuid(host, {x2apic: true, tscDeadline: true, cpu: {...hostCpu, ...cpu}})(place);
const find = (entries: readonly CpuidEntry[], of: number, index = 0) =>
	entries.find((entry) => entry.function === of && entry.index === index);

test('every feature has one name and one place', (t) => {
	const places = cpuFeatures.map(({word: {leaf: of, subleaf, register}, bit}) => `${of}.${subleaf}.${register}.${bit}`);
	t.is(new Set(places).size, cpuFeatures.length);
	t.is(new Set(featureNames).size, featureNames.length);
	for (const name of Object.values(otherNames)) t.truthy(cpuFeature(name), name);
	for (const name of Object.keys(decidedElsewhere)) t.truthy(cpuFeature(name), name);
});

test('features are found by the names of Linux, of QEMU and of the psABI', (t) => {
	for (const name of ['sse4_1', 'sse4.1', 'SSE4-1']) t.is(cpuFeature(name)?.name, 'sse4_1');
	t.is(cpuFeature('cmpxchg16b')?.name, 'cx16');
	t.is(cpuFeature('tsc-deadline')?.name, 'tsc_deadline_timer');
	t.is(cpuFeature('kvm-pv-unhalt')?.name, 'kvm_pv_unhalt');
	t.is(cpuFeature('nosuch'), undefined);
});

test('who hides a feature hides what does not exist without it', (t) => {
	const gone = withDependents('avx');
	for (const name of ['avx2', 'fma', 'f16c', 'vaes', 'avx512f', 'avx512bw', 'avx512_bf16'])
		t.true(gone.has(name), name);
	t.false(gone.has('xsave'));
	t.true(withDependents('xsave').has('avx2'));
});

for (const vendor of ['AuthenticAMD', 'GenuineIntel'] as const) {
	for (const model of ['x86-64-v1', 'x86-64-v2', 'x86-64-v3'] as const) {
		test(`${model} on ${vendor} has its features, those of the machine, and no other`, (t) => {
			const shown = shownTo(fullHost(vendor), {model});
			const ofMachine = ['x2apic', 'tsc_deadline_timer', 'hypervisor'];
			const paravirtual = announced(shown).filter((name) => name.startsWith('kvm_'));
			t.deepEqual(announced(shown).sort(), [...cpuModels[model].features, ...ofMachine, ...paravirtual].sort());
			t.is(paravirtual.length, 7);
			t.deepEqual(missingFeatures({...hostCpu, model}, shown), []);
			t.is(cpuVendor(shown), vendor);
			t.is(physicalAddressBits(shown), 40);
			t.is(find(shown, 4), undefined);
			t.is(find(shown, 0)?.eax, 0xd);
			t.is(find(shown, 0x1f), undefined);
			t.is(find(shown, 0xd) !== undefined, model === 'x86-64-v3');
		});
	}
}

test('what is there on request is hidden by default, with what needs it, and shown where it or its model is asked for', (t) => {
	const shown = (cpu: Partial<CpuChoice>) =>
		announced(
			guestCpuid(fullHost('AuthenticAMD'), {
				...{x2apic: true, tscDeadline: true, onRequest: ['bmi2', 'avx']},
				cpu: {...hostCpu, ...cpu},
			})(place),
		).filter((name) => ['bmi1', 'bmi2', 'avx', 'avx2'].includes(name));
	t.deepEqual(shown({}), ['bmi1']);
	t.deepEqual(shown({with: ['bmi2']}), ['bmi1', 'bmi2']);
	t.deepEqual(shown({with: ['avx2']}), ['avx', 'bmi1', 'avx2']);
	t.deepEqual(shown({model: 'x86-64-v3'}), ['avx', 'bmi1', 'avx2', 'bmi2']);
	t.deepEqual(shown({model: 'x86-64-v2'}), []);
});

test('AVX has its component of XSAVE alone', (t) => {
	const shown = shownTo(fullHost('GenuineIntel'), {model: 'x86-64-v3'});
	t.like(find(shown, 0xd), {eax: 7, ebx: 576, ecx: 832, edx: 0});
	t.like(find(shown, 0xd, 1), none);
	t.like(find(shown, 0xd, 2), {eax: 256, ebx: 576});
	t.is(find(shown, 0xd, 5), undefined);
	t.is(find(shown, 0xd, 9), undefined);
});

test('a feature hidden from host takes along what needs it, and stays hidden behind the rules', (t) => {
	const host = fullHost('AuthenticAMD');
	const whole = new Set(announced(shownTo(host, {})));
	const without = new Set(announced(shownTo(host, {without: ['avx', 'hypervisor', 'mmx', 'tsc-deadline']})));
	const gone = [...whole].filter((name) => !without.has(name));
	for (const name of ['avx', 'avx2', 'avx512f', 'hypervisor', 'tsc_deadline_timer', 'mmx'])
		t.true(gone.includes(name), name);
	t.true(without.has('popcnt') && without.has('xsave'));
	const shown = shownTo(host, {without: ['avx', 'mmx']});
	t.is(((find(shown, 0x8000_0001)?.edx ?? 0) >>> 23) & 1, 0, "AMD's copy of the bit");
	t.like(find(shown, 0xd), {eax: 0x60203, ecx: 2696});
});

test('without a choice nothing of the offer is lost', (t) => {
	const host = fullHost('GenuineIntel');
	t.deepEqual(shownTo(host, {}), guestCpuid(host, {x2apic: true, tscDeadline: true})(place));
	t.like(find(shownTo(host, {}), 0xd), {eax: 0x602e7, ecx: 11_008});
});

test('a choice is made once for all processors', (t) => {
	let reads = 0;
	const counted = fullHost('AuthenticAMD').map((entry) => ({
		...entry,
		get function() {
			reads++;
			return entry.function;
		},
	}));
	const cpu = {...hostCpu, model: 'x86-64-v2'} as const;
	const answers = guestCpuid(counted, {x2apic: true, tscDeadline: true, cpu});
	const before = reads;
	t.true(before > 0);
	for (const apicId of [0, 1, 2]) t.is((find(answers({...place, apicId}), 1)?.ebx ?? 0) >>> 24, apicId);
	t.is(reads, before);
});

test('a model can have more and less', (t) => {
	const choice = {...hostCpu, model: 'x86-64-v2', with: ['smep', 'rdseed'], without: ['popcnt']} as const;
	const shown = shownTo(fullHost('AuthenticAMD'), choice);
	const names = announced(shown);
	t.true(names.includes('smep') && names.includes('rdseed'));
	t.false(names.includes('popcnt'));
	t.deepEqual(missingFeatures(choice, shown), []);
});

test('leaves that describe a feature come with it and go with it', (t) => {
	const host = fullHost('GenuineIntel');
	const tiles = shownTo(host, {model: 'x86-64-v3', with: ['amx_int8']});
	t.is(find(tiles, 0)?.eax, 0x1e);
	t.like(find(tiles, 0x1d, 1), {eax: 0x0400_2000});
	t.like(find(tiles, 0x1e), {ebx: 0x4010});
	t.is(find(tiles, 0x14), undefined);
	const less = shownTo(host, {without: ['amx_tile']});
	t.is(find(less, 0x1d), undefined);
	t.like(find(less, 0x14), {eax: 1});
	const lacking = host.filter((entry) => entry.function !== 7);
	t.is(find(shownTo(lacking, {model: 'x86-64-v3', with: ['amx_int8']}), 0)?.eax, 0xd);
});

test('the second leaf of extended features is there where a model has one of them', (t) => {
	const cpu = {model: 'x86-64-v2', with: ['null_sel_clr_base']} as const;
	const shown = shownTo(fullHost('AuthenticAMD'), cpu);
	t.is(find(shown, 0x8000_0000)?.eax, 0x8000_0021);
	t.like(find(shown, 0x8000_0021), {eax: 1 << 6});
	t.deepEqual(missingFeatures({...hostCpu, ...cpu}, shown), []);
	t.is(find(shownTo(fullHost('AuthenticAMD'), {model: 'x86-64-v2'}), 0x8000_0000)?.eax, 0x8000_0008);
});

test('linear addresses have 57 bits with five levels of page tables, else 48', (t) => {
	const host = fullHost('AuthenticAMD');
	const width = (cpu: Partial<CpuChoice>) => ((find(shownTo(host, cpu), 0x8000_0008)?.eax ?? 0) >>> 8) & 0xff;
	t.is(width({model: 'x86-64-v2'}), 48);
	t.is(width({model: 'x86-64-v2', with: ['la57']}), 57);
	t.is(width({without: ['la57']}), 48);
	t.is(width({without: ['avx']}), 57);
});

test('what is added brings along what it does not exist without', (t) => {
	const choice = {...hostCpu, model: 'x86-64-v2', with: ['avx2']} as const;
	const names = announced(shownTo(fullHost('AuthenticAMD'), choice));
	t.true(['avx2', 'avx', 'xsave'].every((name) => names.includes(name)));
	t.false(names.includes('bmi2'));
});

test('what a host lacks, or a machine never shows, is named', (t) => {
	const poor = fullHost('AuthenticAMD').map((entry) => (entry.function === 1 ? {...entry, ecx: 0x0000_2001} : entry));
	const v2 = {...hostCpu, model: 'x86-64-v2'} as const;
	t.deepEqual(missingFeatures(v2, shownTo(poor, v2)), ['popcnt', 'sse4_1', 'sse4_2', 'ssse3']);
	const nested = {...hostCpu, with: ['svm']};
	t.deepEqual(missingFeatures(nested, shownTo(fullHost('AuthenticAMD'), nested)), ['svm']);
	const less = {...v2, without: ['ssse3', 'popcnt']};
	t.deepEqual(missingFeatures(less, shownTo(poor, less)), []);
});

test('a model has 40 bits of addresses where the host has as many', (t) => {
	const v2 = {...hostCpu, model: 'x86-64-v2'} as const;
	t.is(guestAddressBits(48, v2), 40);
	t.is(guestAddressBits(39, v2), 39);
	t.is(guestAddressBits(48, hostCpu), 48);
	t.like(describeCpuid(shownTo(fullHost('AuthenticAMD', 39), v2)), {vendor: 'AuthenticAMD', addressBits: 39});
});
