import test from 'ava';
import {type LoneMemory, loneMemory} from '#vcpu-worker/software/system/testing';
import {hasReservedPointers, type PagingMode, walk} from './page-walk.ts';
import {PhysicalMemory} from './physical-memory.ts';

const root = 0x1000;
const mode: PagingMode = {
	levels: 4,
	root,
	hasLargePages: true,
	protectsSupervisor: true,
	smep: false,
	smap: false,
	nx: true,
	hasGlobalPages: false,
	pcid: 0,
};
const read = {kind: 'read', isUser: true, acIsSet: false} as const;
/** The entry of the last level: its place, a page below 4 GiB, and one above. */
const entryAt = 0x4000;
const before = 0x0012_3000n | 0x27n;
const after = 0x5_0045_6000n | 0x27n;

/** RAM where another processor changes an entry, between two reads of this one. */
class ChangingMemory extends PhysicalMemory {
	readonly #lone: LoneMemory;

	readonly #after: bigint;

	constructor(lone: LoneMemory, to = after) {
		super(lone.memory, lone.shared.watch, 0);
		this.#lone = lone;
		this.#after = to;
	}

	override word(gpa: number): number {
		const value = super.word(gpa);
		if (gpa === entryAt) new BigUint64Array(this.#lone.ram.buffer)[entryAt / 8] = this.#after;
		return value;
	}
}

test('an entry that changes while a walk reads it is the old one or the new one', (t) => {
	const lone = loneMemory(0x1_0000);
	const entries = new BigUint64Array(lone.ram.buffer);
	for (const table of [root, 0x2000, 0x3000]) entries[table / 8] = BigInt(table + 0x1000) | 0x27n;
	entries[entryAt / 8] = before;
	const found = walk(new ChangingMemory(lone), mode, read, 0, 0);
	t.is(typeof found === 'object' && found.page, Number(after & ~0xfffn));
});

test('an entry of the first table of PAE is looked at whole', (t) => {
	const lone = loneMemory(0x1_0000);
	const entries = new BigUint64Array(lone.ram.buffer);
	entries[entryAt / 8] = 0x2001n;
	const pae: PagingMode = {...mode, levels: 3, root: entryAt};
	// What it changes to is not present, and its upper half would be wrong if it were.
	t.false(hasReservedPointers(new ChangingMemory(lone, 0xffff_ffff_0000_0000n), pae, entryAt));
	entries[entryAt / 8] = 0xffff_ffff_0000_2001n;
	t.true(hasReservedPointers(new PhysicalMemory(lone.memory, lone.shared.watch, 0), pae, entryAt));
});
