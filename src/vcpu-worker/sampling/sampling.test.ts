import test from 'ava';
import {MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import type {CpuBackend, ProcessorPlace} from '#vcpu-worker/hypervisor';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import {answerSample, maxFrames, type Sample, SampleAsker, VcpuSample} from './index.ts';

const memoryBytes = 2 ** 20;
const code = 0x1000;
const stack = 0x8_0000;
const call = [0xe8, 0, 0, 0, 0];

const segment = {
	base: 0n,
	limit: 0xffff_ffff,
	selector: 0x10,
	type: 11,
	present: true,
	dpl: 0,
	db: true,
	s: true,
	l: false,
	g: true,
};
/** Protected mode of 32 bits, without paging: linear addresses are physical. */
const special = {cr0: 1n, cr3: 0x5000n, cr4: 0n, efer: 0n, cs: segment, ss: {...segment, selector: 0x18}};

interface Scene {
	readonly rip?: number;
	readonly rbp?: number;
	/** Words by their address. */
	readonly words?: Readonly<Record<number, number>>;
	/** Addresses behind a call. */
	readonly returns?: readonly number[];
	readonly bytes?: Readonly<Record<number, readonly number[]>>;
	readonly place?: ProcessorPlace;
	readonly changes?: Parameters<typeof sampleRegisters>[0]['special'];
}

function sampleOf({
	rip = code,
	rbp = 0,
	words = {},
	returns = [],
	bytes = {},
	place = {isWaiting: false},
	changes,
}: Scene): Sample | undefined {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: memoryBytes}));
	for (const [address, value] of Object.entries(words)) memory.writeU32(Number(address), value);
	for (const address of returns) memory.copyIn(address - call.length, Uint8Array.from(call));
	for (const [address, values] of Object.entries(bytes)) memory.copyIn(Number(address), Uint8Array.from(values));
	const registers = sampleRegisters({general: {rip: BigInt(rip), rbp: BigInt(rbp)}, special: {...special, ...changes}});
	const cpu: Partial<CpuBackend> = {
		place: () => place,
		readGeneral: () => registers.general,
		readSpecial: () => registers.special,
	};
	const shared = VcpuSample.on(new SharedArrayBuffer(VcpuSample.byteLength));
	const asker = new SampleAsker(shared, () => answerSample(shared, cpu as CpuBackend, memory));
	asker.ask();
	return asker.take();
}

const framesOf = (scene: Scene) => sampleOf(scene)?.frames.map(Number);

test('a sample is asked for once, answered once and taken once', (t) => {
	const shared = VcpuSample.on(new SharedArrayBuffer(VcpuSample.byteLength));
	let kicks = 0;
	const asker = new SampleAsker(shared, () => void kicks++);
	const registers = sampleRegisters({general: {rip: 7n}, special});
	const cpu = {
		place: () => ({isWaiting: true}),
		readGeneral: () => registers.general,
		readSpecial: () => registers.special,
	} as Partial<CpuBackend> as CpuBackend;
	const memory = new MappedMemory(plainMemory());
	answerSample(shared, cpu, memory);
	t.is(asker.take(), undefined, 'nobody has asked');
	t.true(asker.ask());
	t.false(asker.ask());
	t.is(kicks, 1);
	t.is(asker.take(), undefined);
	answerSample(shared, cpu, memory);
	t.deepEqual(asker.take(), {isWaiting: true, isUser: false, space: 0x5000n, frames: [7n]});
	t.is(asker.take(), undefined);
	asker.ask();
	asker.withdraw();
	answerSample(shared, cpu, memory);
	t.is(asker.take(), undefined, 'it has been withdrawn');
});

test('frames are followed through memory, to addresses behind calls', (t) => {
	const words = {
		[stack]: stack + 0x20,
		[stack + 4]: 0x2005,
		[stack + 0x20]: stack + 0x60,
		[stack + 0x24]: 0x3005,
		[stack + 0x60]: 0,
		[stack + 0x64]: 0,
	};
	const scene = {rbp: stack, words, returns: [0x2005, 0x3005]};
	t.deepEqual(framesOf(scene), [code, 0x2004, 0x3004]);
	t.deepEqual(framesOf({...scene, returns: [0x2005]}), [code, 0x2004], 'no call is before the second');
	const indirect = {8195: [0xff, 0xd0], 12288: [0xff, 0x94, 0xc8, 0, 0]};
	t.deepEqual(framesOf({...scene, returns: [], bytes: indirect}), [code, 0x2004], 'FF /2 in 2 bytes, and none of 5');
	t.deepEqual(framesOf({...scene, returns: [], bytes: {8194: [0xff, 0x55, 8]}}), [code, 0x2004]);
	t.deepEqual(framesOf({...scene, returns: [], bytes: {8194: [0xff, 0x75, 8]}}), [code], 'a push');
});

test('what the instruction at which a block ended has led to is told apart', (t) => {
	const words = {[stack]: 0, [stack + 4]: 0x3005};
	const scene = {rip: 0x2005, rbp: stack, words, returns: [0x2005, 0x3005]};
	const place = {isWaiting: false, executed: 0x1800n};
	for (const bytes of [[0xc3], [0xf3, 0xc3], [0xc2, 8, 0]])
		t.deepEqual(framesOf({...scene, place, bytes: {6144: bytes}}), [0x1800, 0x2004, 0x3004], 'it has returned');
	t.deepEqual(framesOf({...scene, place, bytes: {6144: call}}), [0x1800, 0x3004], 'it has called or jumped');
	t.deepEqual(framesOf({...scene, place: {isWaiting: false}}), [0x2005, 0x3004]);
});

test('a stack that the guest has made to mislead ends, at frames that go nowhere, back or too far', (t) => {
	const returns = [0x2005];
	const one = (outer: number) => framesOf({rbp: stack, words: {[stack]: outer, [stack + 4]: 0x2005}, returns});
	for (const outer of [stack, stack - 0x100, 0, 0xffff_fff0, stack + 2 ** 20 + 4])
		t.deepEqual(one(outer), [code, 0x2004]);
	t.deepEqual(framesOf({rbp: memoryBytes - 4}), [code]);
	t.deepEqual(framesOf({rbp: 0xffff_fffc}), [code]);
	const long = Object.fromEntries(
		Array.from({length: 1000}, (_, index) => [
			[stack + index * 8, stack + index * 8 + 8],
			[stack + index * 8 + 4, 0x2005],
		]).flat(),
	);
	t.is(framesOf({rbp: stack, words: long, returns})?.length, maxFrames);
});

test('privilege and the width of the code are those of the moment', (t) => {
	const user = {cs: {...segment, selector: 0x33}};
	t.true(sampleOf({changes: user})?.isUser);
	t.false(sampleOf({changes: {...user, cr0: 0n}})?.isUser, 'real mode has no privilege');
	const words = {[stack]: 0, [stack + 4]: 0x2005};
	const small = {cs: {...segment, db: false}};
	t.deepEqual(framesOf({rbp: stack, words, returns: [0x2005], changes: small}), [code], 'code of 16 bits');
	t.deepEqual(framesOf({rip: 0x10, changes: {cs: {...segment, base: 0x400n}}}), [0x410], 'an offset in its segment');
});

test('a kernel that a program has just entered has no frames of the program', (t) => {
	const kernel = 0xffff_ffff_8100_0000n;
	const long = {efer: 0x400n, cs: {...segment, l: true, db: false}};
	const registers = sampleRegisters({general: {rip: kernel, rbp: 0x7fffn}, special: {...special, ...long}});
	const shared = VcpuSample.on(new SharedArrayBuffer(VcpuSample.byteLength));
	const cpu = {
		place: () => ({isWaiting: false, executed: 0x40_1000n}),
		readGeneral: () => registers.general,
		readSpecial: () => registers.special,
	} as Partial<CpuBackend> as CpuBackend;
	const memory = new MappedMemory(plainMemory({gpa: 0, length: memoryBytes}));
	const asker = new SampleAsker(shared, () => answerSample(shared, cpu, memory));
	asker.ask();
	t.deepEqual(asker.take()?.frames, [kernel]);
});

test('a processor that cannot be read gives no sample, and goes on', (t) => {
	const shared = VcpuSample.on(new SharedArrayBuffer(VcpuSample.byteLength));
	const place = () => {
		throw new Error('KVM_GET_MP_STATE failed');
	};
	const memory = new MappedMemory(plainMemory());
	const asker = new SampleAsker(shared, () =>
		answerSample(shared, {place} as Partial<CpuBackend> as CpuBackend, memory),
	);
	t.true(asker.ask());
	t.is(asker.take(), undefined);
	t.true(asker.ask(), 'it may be asked again');
});

test('a kernel’s stack comes along, as far as there is memory', (t) => {
	const paging = {cr0: 0x8000_0001n, cr3: 0x1000n, cr4: 0x20n, efer: 0x500n, cs: {...segment, l: true, db: false}};
	const memory = new MappedMemory(plainMemory({gpa: 0, length: memoryBytes}));
	// The last 2 MiB of addresses are the first of memory, of which there are fewer.
	memory.writeBigU64(0x1ff8, 0x2003n);
	memory.writeBigU64(0x2ff8, 0x3003n);
	memory.writeBigU64(0x3ff8, 0x83n);
	const top = 0xffff_ffff_ffe0_0000n;
	const sampled = (rsp: bigint, isWaiting = false) => {
		const registers = sampleRegisters({general: {rip: top, rsp, rbp: 7n}, special: {...special, ...paging}});
		const shared = VcpuSample.on(new SharedArrayBuffer(VcpuSample.byteLength));
		const cpu = {
			place: () => ({isWaiting}),
			readGeneral: () => registers.general,
			readSpecial: () => registers.special,
		} as Partial<CpuBackend> as CpuBackend;
		const asker = new SampleAsker(shared, () => answerSample(shared, cpu, memory));
		asker.ask();
		return asker.take()?.stack;
	};
	memory.writeU32(0x8ffe, 0x1234_5678);
	const stack = sampled(top + 0x8ffen);
	t.like(stack, {next: top, pointer: top + 0x8ffen, frame: 7n, hasReturned: false});
	t.is(stack?.bytes.length, 4096);
	t.deepEqual([...(stack?.bytes.subarray(0, 4) ?? [])], [0x78, 0x56, 0x34, 0x12]);
	t.is(sampled(top + BigInt(memoryBytes) - 16n)?.bytes.length, 16);
	t.is(sampled(top + BigInt(memoryBytes)), undefined);
	t.is(sampled(top + 0x8000n, true), undefined, 'it waits');
});
