import test from 'ava';
import {type MappedMemory, PageWatch} from '#devices/guest-memory';
import {Core} from '#vcpu-worker/software/interpreter';
import {PhysicalMemory} from '#vcpu-worker/software/mmu';
import {Rendezvous, requestWords} from '#vcpu-worker/software/shared';
import {longCode} from '#vcpu-worker/software/state';
import {CodeCache} from './code-cache.ts';
import {loneMemory} from './testing/index.ts';

const page = 0x3000;
/** MOV EAX,1 and MOV EAX,2, with HLT behind. */
const one = [0xb8, 1, 0, 0, 0, 0xf4];
const two = [0xb8, 2, 0, 0, 0, 0xf4];

/** Bytes of a page that change to others as soon as somebody has taken a copy. */
class Restless extends Uint8Array<SharedArrayBuffer> {
	override slice(): Uint8Array<ArrayBuffer> {
		const copy = new Uint8Array(this);
		this.set(two);
		return copy;
	}
}

/** A cache of code beside another processor, which executes and has told nothing yet. @param bytes - gives those of a page */
function cacheBesideAnother(bytes?: (memory: MappedMemory, gpa: number) => Uint8Array) {
	const {ram, memory, shared} = loneMemory(0x1_0000, 2);
	class OwnMemory extends PhysicalMemory {
		override page(gpa: number): Uint8Array | undefined {
			return bytes === undefined ? super.page(gpa) : bytes(memory, gpa);
		}
	}
	const [own, range] = [shared.memories[0], memory.ranges[0]];
	if (own === undefined || range === undefined) throw new TypeError('there is no memory');
	const core = new Core(own, range.memory, {access: () => 0, fill: () => 0}, () => undefined);
	const requests = requestWords(shared);
	const other = new Rendezvous(shared.epochs, 1, requests);
	other.enter();
	const code = new CodeCache(
		core,
		new OwnMemory(memory, shared.watch, 0),
		new Rendezvous(shared.epochs, 0, requests),
		() => {},
	);
	core.state.budget = 1000;
	const result = (offset = 0) => {
		core.run(code.block(page, offset, 64) ?? 0);
		return core.state.general[0];
	};
	return {core, ram, code, other, watch: new PageWatch(shared.watch, 1), result};
}

test('a block is of the bytes that are compared, also where a writer changes them and changes them back', (t) => {
	const {ram, code, result} = cacheBesideAnother(
		({ranges: [range]}, gpa) => new Restless(range?.memory.buffer as SharedArrayBuffer, gpa, 4096),
	);
	ram.set(one, page);
	t.is(result(), 1n);
	ram.set(one, page);
	code.verify();
	t.is(result(), 1n);
	ram.set(two, page);
	code.verify();
	t.is(result(), 2n);
});

test('what this processor has written it executes at once, also where other writers may not know yet', (t) => {
	const {ram, code, result} = cacheBesideAnother();
	ram.set(one, page);
	t.is(result(), 1n);
	ram.set(two, page + 0x100);
	t.false(code.written(page + 0x100, two.length, 0));
	t.is(result(0x100), 2n);
	ram.set(two, page);
	code.written(page, two.length, 0);
	t.is(result(), 2n);
});

test('code is looked at again where the page was written meanwhile, so that its writers know nothing of it', (t) => {
	const {ram, code, other, watch, result} = cacheBesideAnother();
	const [first, second] = [0x100, 0x800];
	for (const offset of [first, second]) ram.set(one, page + offset);
	t.is(result(first), 1n);
	// The other one knows, so that nothing needs a look, and has written since then all that was watched.
	other.drop(() => {});
	code.verify();
	watch.written(page, 4096);
	t.is(result(second), 1n);
	ram.set(two, page + second);
	code.verify();
	t.is(result(second), 2n);
});

test('a block that another has displaced is found, until its page is forgotten', (t) => {
	const {core} = cacheBesideAnother();
	core.state.modeKey = longCode;
	const [first, second] = [one, two].map((bytes) => core.write(core.decode(Uint8Array.from(bytes), 0))) as [
		number,
		number,
	];
	const [low, high] = [0x1_2345, 0x7];
	// Bit 16 of the page's number has no part in the place.
	const other = low ^ 0x1000_0000;
	for (const isGlobal of [true, false]) {
		core.forgetJumps();
		core.remember(low, high, first, {page: 0x1000, isGlobal});
		core.remember(other, high, second, {page: 0x2000, isGlobal});
		for (let count = 0; count < 2; count++) {
			t.is(core.find(low, high), first);
			t.is(core.find(other, high), second);
		}
		core.forgetLocalJumps();
		t.deepEqual([core.find(low, high), core.find(other, high)], isGlobal ? [first, second] : [0, 0]);
	}
	core.forgetPageJumps(other, high);
	core.remember(low, high, first, {page: 0x1000, isGlobal: true});
	core.forgetPageJumps(low, high);
	t.is(core.find(low, high), 0);
});

test('an instruction that is no part of a block has room, whatever its steps', (t) => {
	const {core} = cacheBesideAnother();
	const vzeroall = Uint8Array.of(0xc5, 0xfc, 0x77);
	const [first, second] = [2, 1].map((slot) => core.decodeAlone(vzeroall, 4094, 64, slot) as number) as [
		number,
		number,
	];
	const last = core.words.slice(second / 4 - 8, second / 4);
	t.true(first < second);
	t.deepEqual([...last], Array(8).fill(0));
	t.is(core.nextOf(first), 4097);
});
