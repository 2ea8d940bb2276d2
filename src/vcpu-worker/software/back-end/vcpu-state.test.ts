import test from 'ava';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {VcpuWiring} from '#vcpu-worker/hypervisor';
import {CpuState, Request} from '#vcpu-worker/software/state';
import {loneMemory} from '#vcpu-worker/software/system/testing';
import {offer} from './offer.ts';
import {SoftwarePartition} from './software-partition.ts';
import {SoftwareVcpu} from './software-vcpu.ts';

/** A processor that nothing is outside of. */
function processor(cpuid: readonly CpuidEntry[] = offer.cpuid): SoftwareVcpu {
	const partition = new SoftwarePartition({irqchip: 'split', processors: 1});
	const handle = partition.openVcpu({index: 0, apicId: 0, apicMode: 'xapic', cpuid});
	const {memory} = loneMemory(0x1_0000);
	return new SoftwareVcpu(partition.handle, handle, () => {}, {memory} as VcpuWiring);
}

const withoutXsave = offer.cpuid
	.filter((entry) => entry.function !== 0xd)
	.map((entry) => (entry.function === 1 ? {...entry, ecx: entry.ecx & ~(1 << 26)} : entry));
const withoutAvx = offer.cpuid.map((entry) => (entry.function === 1 ? {...entry, ecx: entry.ecx & ~(1 << 28)} : entry));
const requestWord = CpuState.word('request');
/** XSTATE_BV of an image. */
const held = (image: Uint8Array) => new DataView(image.buffer, image.byteOffset).getBigUint64(512, true);

test('a snapshot has XCR0 and all components; those that an image does not hold get their initial state', (t) => {
	const from = processor();
	const {state, x87} = from.processor.core;
	Object.assign(state, {xcr0: 7n, mxcsr: 0x1fa0});
	state.vector256[4] = 7n;
	state.vector256[6] = 8n;
	x87.registers.push({significand: 1n << 63n, signExponent: 0x3fff});
	const saved = from.save();
	t.deepEqual([saved.xcr0, saved.vector.components, held(saved.vector.image)], [7n, 7n, 7n]);
	const to = processor();
	to.restore(saved);
	const found = to.processor.core;
	const vectors = () => [found.state.vector256[4], found.state.vector256[6]];
	t.deepEqual([found.state.xcr0, found.state.mxcsr, ...vectors()], [7n, 0x1fa0, 7n, 8n]);
	t.deepEqual(found.x87.registers.get(0), {significand: 1n << 63n, signExponent: 0x3fff});
	const image = saved.vector.image.slice();
	new DataView(image.buffer).setBigUint64(512, 0n, true);
	to.restore({...saved, xcr0: 1n, vector: {...saved.vector, image}});
	t.deepEqual([found.state.xcr0, found.state.mxcsr, ...vectors()], [1n, 0x1fa0, 0n, 0n]);
	t.deepEqual(found.x87.registers.get(7), {significand: 0n, signExponent: 0});
	t.is(found.x87.registers.tags, 0);
});

test('a processor without XSAVE has no XCR0 in its snapshots, and takes those that have none', (t) => {
	const saved = processor(withoutXsave).save();
	t.is(saved.xcr0, undefined);
	const to = processor();
	to.processor.core.state.xcr0 = 3n;
	to.restore(saved);
	t.is(to.processor.core.state.xcr0, 1n);
});

test('XCR0 of a snapshot with components that there are not is refused', (t) => {
	const to = processor();
	for (const xcr0 of [0n, 2n, 5n, 8n])
		t.throws(() => to.restore({...to.save(), xcr0}), {code: 'STATE_FIELD_WRONG', message: /xcr0/});
	const narrow = processor(withoutAvx);
	t.throws(() => narrow.restore({...narrow.save(), xcr0: 7n}), {code: 'STATE_FIELD_WRONG', message: /xcr0/});
});

test('a snapshot has no component that CPUID does not announce', (t) => {
	const {vector} = processor(withoutAvx).save();
	t.deepEqual([vector.components, held(vector.image), vector.image.length], [3n, 3n, 576]);
});

test('what a debugger writes to XMM registers leaves the upper halves of YMM registers alone, and the other way round', (t) => {
	const vcpu = processor();
	const {state} = vcpu.processor.core;
	state.vector256.fill(5n);
	const {fxsave, ymmHigh} = vcpu.readRegisters();
	vcpu.writeRegisters({fxsave: fxsave.fill(0, 160, 416)});
	t.deepEqual([...state.vector256.slice(0, 4)], [0n, 0n, 5n, 5n]);
	vcpu.writeRegisters({ymmHigh: ymmHigh.fill(0xff, 0, 16)});
	t.deepEqual([...state.vector256.slice(0, 8)], [0n, 0n, 2n ** 64n - 1n, 2n ** 64n - 1n, 0n, 0n, 5n, 5n]);
});

test('a kick that a processor has not seen yet is in its snapshot: it ends the HLT that waits for it, or the next', (t) => {
	const from = processor();
	from.processor.core.state.$atomic[requestWord] = Request.UNHALT;
	from.processor.isHalted = true;
	t.is(from.save().activity, 'running');
	t.false(from.isUnhalted);
	from.processor.core.state.$atomic[requestWord] = Request.UNHALT;
	const early = from.save();
	t.deepEqual([early.activity, early.extension?.data], ['running', {errors: 0, unhalted: true}]);
	const to = processor();
	to.restore(early);
	to.processor.isHalted = true;
	t.is(to.save().activity, 'running');
	t.is(to.save().activity, 'running');
	to.processor.isHalted = true;
	t.is(to.save().activity, 'halted', 'it ends one');
	to.restore(early);
	to.processor.core.state.$atomic[requestWord] = Request.UNHALT;
	to.reset();
	to.processor.isHalted = true;
	t.is(to.save().activity, 'halted', 'the guest that starts anew has not been kicked');
});

test('INIT leaves XCR0 and what the x87 and XMM registers have; a reset does not', (t) => {
	const {processor: own} = processor();
	const {state} = own.core;
	state.vector256[0] = 1n;
	state.xcr0 = 3n;
	own.core.x87.registers.push({significand: 1n, signExponent: 1});
	own.reset(0, true);
	t.deepEqual([state.xcr0, state.vector256[0], state.x87[7]?.significand], [3n, 1n, 1n]);
	own.reset(0, false);
	t.deepEqual([state.xcr0, state.vector256[0], state.x87[7]?.significand], [1n, 0n, 0n]);
});
