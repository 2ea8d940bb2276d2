import test from 'ava';
import {Core} from '#vcpu-worker/software/interpreter';
import {PhysicalMemory} from '#vcpu-worker/software/mmu';
import {Rendezvous, requestWords} from '#vcpu-worker/software/shared';
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

test('a block is of the bytes that are compared, also where a writer changes them and changes them back', (t) => {
	const {ram, memory, shared} = loneMemory(0x1_0000, 2);
	class RestlessMemory extends PhysicalMemory {
		override page(gpa: number): Uint8Array {
			return new Restless(memory.ranges[0]?.memory.buffer as SharedArrayBuffer, gpa, 4096);
		}
	}
	const [own, range] = [shared.memories[0], memory.ranges[0]];
	if (own === undefined || range === undefined) throw new TypeError('there is no memory');
	const core = new Core(
		own,
		range.memory,
		() => 0,
		() => undefined,
	);
	const requests = requestWords(shared);
	new Rendezvous(shared.epochs, 1, requests).enter();
	const others = new Rendezvous(shared.epochs, 0, requests);
	const code = new CodeCache(core, new RestlessMemory(memory, shared.watch, 0), others, () => {});
	const result = () => {
		core.run(code.block(page, 0, 64) ?? 0);
		return core.state.general[0];
	};
	core.state.budget = 1000;
	ram.set(one, page);
	t.is(result(), 1n);
	ram.set(one, page);
	code.verify();
	t.is(result(), 1n);
	ram.set(two, page);
	code.verify();
	t.is(result(), 2n);
});
