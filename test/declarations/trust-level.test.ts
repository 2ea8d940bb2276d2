import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {Halves} from '#devices/device';
import {PageRights} from '#devices/processor';
import {openSnapshot} from '#main/snapshot';
import {type FakeMachineOptions, fakeMachine} from '#main/vm/testing';
import {
	type FakeHypervisor,
	type FakeVcpu,
	Gate,
	type Guest,
	hypercall,
	load,
	store,
	wrmsr,
} from '#vcpu-worker/hypervisor/testing';
import {
	Code,
	Context,
	EnableVpVtl,
	fastCall,
	firstRegister,
	Message,
	Protect,
	SetRegister,
	selfPartition,
	selfVp,
	useTarget,
} from './trust-level.ts';

const [input, messages, guarded, seen] = [0x1000, 0x2000, 0x3000, 0x4000];
const [rip, rax] = [firstRegister + 16, firstRegister];
const self = {partition: selfPartition, vp: selfVp};
const answer = 0x1234;
const entryOfLevel = 0x40_0000n;

const at = (low: number): Halves => ({low, high: 0});
const once = (code: number): Halves => ({low: code, high: 1});

/** Puts a call's input in place, and makes it. The guest has the status. */
function* call(control: Halves, bytes: Uint8Array): Guest {
	const words = new Int32Array(bytes.buffer);
	for (const [index, word] of words.entries()) yield store(input + 4 * index, 4, word);
	yield hypercall(control, at(input));
}

const protect = (rights: number) => {
	const page = new BigUint64Array([BigInt(guarded >> 12)]);
	const header = Protect.encode({partition: selfPartition, flags: rights});
	return call(once(Code.PROTECT), Uint8Array.from([...header, ...new Uint8Array(page.buffer)]));
};
const setRegister = (name: number, value: bigint) =>
	call(once(Code.SET), SetRegister.encode({...self, vtl: useTarget, name, value}));

/** Keeps what a step of the guest gives where the test looks. */
function* note(slot: number, value: number): Guest {
	yield store(seen + 4 * slot, 4, value);
}

/** Sets the level up, and reads a page that the level has kept for itself. */
const guest = (isRead: Gate, isDone: Gate) =>
	function* (): Guest {
		const context = Context.encode({rip: entryOfLevel, efer: 0x500n, pat: 6n});
		yield hypercall(at(Code.ENABLE_PARTITION | fastCall), {low: 0xffff_ffff, high: 0xffff_ffff}, at(2));
		yield* call(at(Code.ENABLE_VP), EnableVpVtl.encode({...self, vtl: 2, context}));
		yield store(guarded, 4, 0x5555);
		yield hypercall(at(Code.CALL | fastCall), at(0));
		yield* note(0, yield load(guarded, 4));
		yield* note(1, yield load(guarded, 4));
		yield isRead.pass;
		yield store(guarded, 4, 0x7777);
		yield* note(2, yield load(guarded, 4));
		yield isDone.pass;
	};

/** Guards the page; answers the first read of it for the guest, and allows the second. */
const paravisor = (isIntercepted: Gate) =>
	function* (): Guest {
		yield wrmsr(0x4000_0083, at(messages | 1));
		yield* protect(PageRights.WRITE);
		yield hypercall(at(Code.RETURN | fastCall), at(0));
		const offset = (name: 'rip' | 'gpa' | 'access') => messages + Message.offset(name);
		yield* note(3, yield load(offset('gpa'), 4));
		yield* note(4, yield load(offset('access'), 1));
		yield isIntercepted.pass;
		const at0 = yield load(offset('rip'), 4);
		yield* setRegister(rax, BigInt(answer));
		yield* setRegister(rip, BigInt(at0 + 1));
		yield* note(5, yield load(guarded, 4));
		yield hypercall(at(Code.RETURN | fastCall), at(0));
		yield* protect(PageRights.READ);
		yield hypercall(at(Code.RETURN | fastCall), at(0));
		yield* note(6, yield load(offset('access'), 1));
		yield* protect(PageRights.READ | PageRights.WRITE);
		yield hypercall(at(Code.RETURN | fastCall), at(0));
	};

const folder = mkdtempSync(join(tmpdir(), 'openvmm-level-'));
process.once('exit', () => rmSync(folder, {recursive: true, force: true}));
const module = join(folder, 'trust-level.mjs');
const declared = JSON.stringify(new URL('trust-level.ts', import.meta.url).href);
writeFileSync(module, `export {trustLevelType as default} from ${declared};`);

/** A machine whose processor has both levels. */
async function twoLevels(t: ExecutionContext, options: FakeMachineOptions = {}) {
	const [isIntercepted, isRead, isDone] = [new Gate(), new Gate(), new Gate()];
	const made = await fakeMachine(t, [guest(isRead, isDone)], {
		config: {devices: [{module, name: 'vtl'}]},
		prepare: (hypervisor) => {
			hypervisor.higherLevels[2] = paravisor(isIntercepted);
		},
		...options,
	});
	const cpu = () => made.hypervisor.vcpus[0] as FakeVcpu;
	const noted = () => Array.from({length: 7}, (_, slot) => cpu().load(seen + 4 * slot, 4));
	return {...made, isIntercepted, isRead, isDone, cpu, noted};
}

const [read, written] = [0, 1];
const atRead = [answer, 0x5555, 0, guarded, read, 0x5555, 0];
const atEnd = [answer, 0x5555, 0x7777, guarded, read, 0x5555, written];

test('a read that the paravisor forbids comes to it, which answers it for the guest; what it allows then is done', async (t) => {
	const {vm, isIntercepted, isRead, isDone, cpu, noted} = await twoLevels(t);
	await vm.start();
	await isIntercepted.reached;
	t.is(cpu().levels.current, 2);
	t.like(cpu().readSpecial(), {efer: 0x500n});
	t.is(cpu().levels.registers(2).msrs.get(0x277), 6n);
	t.not(cpu().levels.registers(0).special.efer, 0x500n);
	isIntercepted.open();
	await isRead.reached;
	t.deepEqual(noted(), atRead);
	t.is(cpu().levels.current, 0);
	isRead.open();
	await isDone.reached;
	t.deepEqual(noted(), atEnd);
});

test('a snapshot has every level, and what they forbid; after a reset nothing is forbidden and level 0 begins', async (t) => {
	const {vm, isIntercepted, isRead, isDone, noted} = await twoLevels(t);
	await vm.start();
	await isIntercepted.reached;
	const directory = join(folder, 'snapshot');
	await vm.saveSnapshot(directory);
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	const restored = await twoLevels(t, {snapshot});
	for (const gate of [restored.isIntercepted, restored.isRead]) gate.open();
	await restored.vm.start();
	await restored.isDone.reached;
	t.deepEqual(restored.noted(), atEnd);

	await vm.reset();
	for (const gate of [isIntercepted, isRead]) gate.open();
	await isDone.reached;
	t.deepEqual(noted(), atEnd);
});

test('a processor with fewer trust levels refuses the state of one that has more', async (t) => {
	const {vm, isIntercepted} = await twoLevels(t);
	await vm.start();
	await isIntercepted.reached;
	const directory = join(folder, 'elsewhere');
	await vm.saveSnapshot(directory);
	const snapshot = openSnapshot(directory);
	t.teardown(() => snapshot.close());
	const prepare = ({guards}: FakeHypervisor) => {
		guards.highestVtl = 1;
	};
	await t.throwsAsync(twoLevels(t, {snapshot, prepare}), {code: 'VCPU_NEEDS_MISSING', message: /trust level 2/});
});
