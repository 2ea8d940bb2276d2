import test from 'ava';
import {Msr} from '#vcpu-worker/registers';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import {parsedVcpuState, parseVcpuState, saveVcpuState, type VcpuState} from './index.ts';
import {sampleState} from './testing/index.ts';

const leaf = {ebx: 0x756e_6547, ecx: 0xffff_ffff, edx: 0};
const {general, special, debug, msrs, apic, events, activity} = sampleState(sampleRegisters({general: {rip: 7n}}));
const own = {rip: general.rip, rsp: general.rsp, rflags: general.rflags};
const other = {vtl: 0, general: own, special, dr7: debug.dr7, msrs, apic, events, activity};
const state: VcpuState = {
	...sampleState(sampleRegisters({general: {rax: 2n ** 64n - 1n, rip: 0xfff0n}})),
	cpuid: [
		{function: 0, index: 0, significantIndex: false, eax: 0xd, ...leaf},
		{function: 0xd, index: 1, significantIndex: true, eax: 0xf, ...leaf},
		{function: 0x8000_0008, index: 0, significantIndex: true, eax: 0x3028, ...leaf},
	],
	xcr0: undefined,
	msrs: new Map<number, bigint>([
		[Msr.IA32_PAT, 0x0007_0406_0007_0406n],
		[0x207, 5n],
		[0xdead_beef, 1n],
	]),
	activity: 'waiting for start-up',
	levels: {current: 2, others: [other]},
	extension: {kind: 'kvm', data: {tscOffset: '0xff'}},
};
const json = (value: unknown) => JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
const saved = json(saveVcpuState(state));

test('a state survives JSON, by the names of the manuals', (t) => {
	t.deepEqual(parseVcpuState(saved), state);
	t.deepEqual(saved['msrs'], {IA32_PAT: '0x7040600070406', IA32_MTRR_PHYSMASK3: '0x5', '0xdeadbeef': '0x1'});
	t.deepEqual(Object.keys(saved['cpuid'] as object), ['0x0', '0xd.1', '0x80000008.0']);
});

test('clones share a state that has been parsed, and what is wrong is so each time', (t) => {
	t.deepEqual(parsedVcpuState(saved), state);
	t.is(parsedVcpuState(saved), parsedVcpuState(saved));
	t.not(parsedVcpuState(json(saved)), parsedVcpuState(saved));
	const wrong = {...saved, version: 0};
	for (const each of [wrong, wrong, undefined, 5])
		t.throws(() => parsedVcpuState(each), {code: 'STATE_VERSION_UNKNOWN'});
});

test('what has no extension and no levels is complete without them', (t) => {
	const {extension: _, levels: __, ...rest} = state;
	t.deepEqual(parseVcpuState(json(saveVcpuState(rest))), rest);
});

/** The saved state with one place in it changed. */
function changed(path: string, value: unknown): unknown {
	const copy = structuredClone(saved);
	const names = path.split('/');
	const last = names.pop() ?? '';
	const at = names.reduce((object, name) => object[name] as Record<string, unknown>, copy);
	if (value === undefined) delete at[last];
	else at[last] = value;
	return copy;
}

const big = Buffer.alloc(2 ** 20 + 1).toString('base64');
const many = Object.fromEntries(Array.from({length: 4097}, (_, index) => [`0x${index.toString(16)}`, '0x0']));
const wrong: readonly (readonly [path: string, value: unknown, field?: string])[] = [
	['general/rax', undefined],
	['general/rax', '0x10000000000000000'],
	['general/rax', 5],
	['general/r16', '0x0'],
	['special/cs/type', 16],
	['special/cs/present', 1],
	['special/gdt/limit', 2 ** 16],
	['special', null],
	['special', []],
	['xcr0', 'much'],
	['vector/image', 'AAAA'],
	['vector/image', big],
	['vector/components', '0x3'],
	['debug/dr6', -1],
	['msrs', many],
	['msrs/0x123456789', '0x0'],
	['msrs/IA32_NOTHING', '0x0'],
	['msrs/IA32_PAT', '0xg'],
	['apic', Buffer.alloc(1023).toString('base64')],
	['events/exception', {vector: 256, errorCode: null}, 'events.exception.vector'],
	['events/nmi/pending', 1.5],
	['events/tripleFault', false],
	['activity', 'asleep'],
	['clock/khz', 0],
	['clock/khz', 2 ** 31],
	['clock/counter', '5'],
	['cpuid/0x7.0', '0 0 0 0'],
	['cpuid/seven', '00000000 00000000 00000000 00000000'],
	['levels/current', 3],
	['levels/current', 0, 'levels.others'],
	['levels/others/0/general/rip', 5],
	['levels/others/0/general/rax', '0x0'],
	['extension/kind', 7],
	['other', {}],
];
for (const [path, value, field = path.replaceAll('/', '.')] of wrong) {
	test(`${path} that is ${JSON.stringify(value)?.slice(0, 40)} is refused by its name`, (t) => {
		const error = t.throws(() => parseVcpuState(changed(path, value)), {code: 'STATE_FIELD_WRONG'});
		t.true(error?.message.includes(`vcpu is damaged: ${field} `), error?.message);
	});
}

test('other versions, and what is no state at all, are refused', (t) => {
	for (const other of [changed('version', 1), undefined, null, 5, 'vcpu', []])
		t.throws(() => parseVcpuState(other), {code: 'STATE_VERSION_UNKNOWN'});
});

test('a name may be none that objects have by themselves', (t) => {
	const hostile = JSON.parse('{"version": 3, "__proto__": {"general": {}}}') as unknown;
	t.throws(() => parseVcpuState(hostile), {code: 'STATE_FIELD_WRONG'});
});
