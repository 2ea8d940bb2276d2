import test, {type ExecutionContext} from 'ava';
import {Random} from '#test/silicon';
import {CpuState, memoryMap} from '#vcpu-worker/software/state';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt, descriptors, gates, handlerAt, startBytes, tables, task} from './raw-code.ts';

/** Loads and stores at RBX of all widths, some that do both, and one that is atomic. */
const accesses = [
	...[
		[0x8a, 0x03],
		[0x66, 0x8b, 0x03],
		[0x8b, 0x03],
		[0x48, 0x8b, 0x03],
		[0xf3, 0x0f, 0x6f, 0x03],
	],
	...[
		[0x88, 0x0b],
		[0x66, 0x89, 0x0b],
		[0x89, 0x0b],
		[0x48, 0x89, 0x0b],
		[0xf3, 0x0f, 0x7f, 0x03],
	],
	...[
		[0x48, 0x01, 0x0b],
		[0xf3, 0xaa],
		[0xf0, 0x48, 0x0f, 0xb1, 0x0b],
	],
];
const hlt = 0xf4;
/** INC R12; CMP R12,3; JAE to HLT; ADD RSP,8; IRETQ; HLT: generated code knows what the second one needs. */
const handler = [0x49, 0xff, 0xc4, 0x49, 0x83, 0xfc, 3, 0x73, 6, 0x48, 0x83, 0xc4, 8, 0x48, 0xcf, hlt];
/** RAM that privilege 3 may access too by its own address; what the tables here lead to. */
const pagesAt = 0x10_0000;
/** Tables of the address that is accessed, from the first level on. */
const ownTables = tables + 0x8000;
const topTable = ownTables + 0x5000;
const beyondRam = 0xf000_0000;
const [stack, interruptStack] = [0x2e_0000, 0x2d_0000];
const flatCode = 0x00af_9b00_0000_ffffn;
const flatData = 0x00cf_9300_0000_ffffn;
const programs = 0x6000_0000_0000n;
const [pageFault, generalProtection] = [14, 13];
const budget = 200;
const cases = 3000;
/** AC, ID, NT, DF, IOPL. */
const strangeFlags = [0x4_0000, 0x20_0000, 0x4000, 0x400, 0x3000];

type Words = BigUint64Array<ArrayBufferLike>;

/** Writes a table entry for each level, now and then with whatever is rare. */
function writeTables(random: Random, words: Words, address: bigint): void {
	for (let level = 5; level >= 1; level--) {
		const table = level === 5 ? topTable : level === 4 ? tables : ownTables + level * 0x1000;
		const index = Number((address >> BigInt(3 + 9 * level)) & 0x1ffn);
		const next = level === 5 ? tables : ownTables + (level - 1) * 0x1000;
		const isLeaf = level === 1 || random.oneIn(8);
		const page = random.pick([0, 0, 0, beyondRam, 0x1000]);
		const to = random.oneIn(30)
			? beyondRam
			: isLeaf
				? level === 1
					? pagesAt + random.below(16) * 0x1000
					: page
				: next;
		let entry = BigInt(to);
		const set = (bit: bigint, often: boolean) => {
			if (often) entry |= 1n << bit;
		};
		set(0n, !random.oneIn(24));
		set(1n, !random.oneIn(5));
		set(2n, !random.oneIn(5));
		set(5n, !random.oneIn(16));
		set(6n, !random.oneIn(4));
		set(7n, isLeaf && (level > 1 || random.oneIn(2)));
		set(8n, random.oneIn(3));
		set(BigInt(9 + random.below(3)), random.oneIn(2));
		set(12n, isLeaf && level > 1 && random.oneIn(4));
		set(BigInt(40 + random.below(23)), random.oneIn(40));
		set(63n, random.oneIn(5));
		words[table / 8 + index] = entry;
	}
}

/** Writes descriptors, gates and the task-state segment, now and then other ones than usual. */
function writeDescriptors(random: Random, {processor, ram}: GuestProcessor, words: Words, address: bigint): void {
	const {state} = processor.core;
	const seldom = <T>(usual: T, ...others: T[]): T => (random.oneIn(16) ? random.pick(others) : usual);
	const code = seldom(flatCode, flatCode - (1n << 40n), flatCode | (1n << 42n), flatCode | programs, flatData);
	words.set([0n, code, flatData, flatCode | programs, flatData | programs, flatCode], descriptors / 8);
	const top = seldom(BigInt(interruptStack), BigInt(interruptStack + 7), BigInt(interruptStack + 16), address, 16n);
	new DataView(ram.buffer).setBigUint64(task + 4, top, true);
	new DataView(ram.buffer).setBigUint64(task + 0x24, BigInt(interruptStack - 0x1000), true);
	for (const [index, vector] of [pageFault, generalProtection].entries()) {
		const at = BigInt(handlerAt + index * 0x100);
		const type = seldom(0x8e00n, 0x8f00n, 0x8e01n, 0xee00n, 0x0e00n, 0x8500n);
		const selector = seldom(8n, 0x28n, 11n, 0n, 0x10n, 12n);
		words[gates / 8 + vector * 2] = (at & 0xffffn) | (selector << 16n) | (type << 32n) | ((at >> 16n) << 48n);
	}
	ram.set(handler, handlerAt);
	ram[handlerAt + 0x100] = hlt;
	Object.assign(state.gdtr, {base: BigInt(descriptors), limit: seldom(0x2f, 0xe, 0xf)});
	Object.assign(state.idtr, {base: BigInt(gates), limit: seldom(0xfff, 0xef, 0xee)});
	Object.assign(state.segments[7] ?? {}, {base: BigInt(task), limit: seldom(0x67, 10, 11)});
}

/** Has the processor access an address, once or two times, by tables and descriptors of a number. @returns how it ends */
function runCase(number: number, guest: GuestProcessor, isGenerated: boolean): string {
	const random = new Random(number);
	const {processor, ram} = guest;
	const {core} = processor;
	const {state} = core;
	const words = new BigUint64Array(ram.buffer);
	const privilege = random.pick([0, 0, 0, 1, 3, 3, 3]);
	const [hasLa57, hasSmap] = [random.oneIn(3), random.oneIn(2)];
	const top = hasLa57
		? random.pick([1n << 48n, -1n << 48n, 1n << 56n])
		: random.pick([1n << 39n, -1n << 39n, 1n << 47n]);
	const inPage = random.pick([0, 8, 0xff0, 0xff8, 0xffc, 0xfff, random.below(4096)]);
	const address = BigInt.asUintN(
		64,
		top | (BigInt(random.below(4)) << 30n) | BigInt(0x10_0000 + random.below(16) * 0x1000 + inPage),
	);
	const access = random.pick(accesses);
	ram.fill(number, pagesAt, pagesAt + 0x1_0000);
	words.fill(0n, tables / 8, tables / 8 + 0x1000);
	words[topTable / 8] = BigInt(tables) | 7n;
	words[tables / 8] = BigInt(tables + 0x1000) | 7n;
	words[tables / 8 + 512] = BigInt(tables + 0x2000) | 7n;
	words.set([0x87n, 0x20_0083n], tables / 8 + 1024);
	writeTables(random, words, address);
	words[tables / 8] = BigInt(tables + 0x1000) | 7n;
	writeDescriptors(random, guest, words, address);
	const isLow = privilege === 3 || (!hasSmap && random.oneIn(2));
	const at = isLow ? pagesAt + random.below(16) * 0x1000 + 0x800 : codeAt;
	ram.set([...access, ...(random.oneIn(2) ? access : []), hlt], at);
	// No page holds code that is known.
	const {memory, code} = processor.mmu;
	for (const page of [codeAt, ...Array.from({length: 16}, (_, index) => pagesAt + index * 0x1000)]) {
		memory.stored(page, 0x1000);
		code.written(page, 0x1000, 0);
	}
	for (const [segment, selector, attributes] of [
		[1, 8, 0xa09b],
		[2, 16, 0xc093],
	] as const)
		Object.assign(state.segments[segment] ?? {}, {
			...{selector: privilege === 0 ? selector : (selector + 16) | privilege, base: 0n, limit: 0xffff_ffff},
			attributes: attributes | (privilege << 5),
		});
	state.general.fill(0n);
	const registers = {
		1: 1n + BigInt(random.below(2)) * random.u64(),
		3: address,
		4: BigInt(stack - random.below(2) * 8),
		7: address,
	};
	Object.assign(state.general, registers);
	let controlFlags = 2 | (random.oneIn(2) ? 0x200 : 0);
	for (const flag of strangeFlags) if (random.oneIn(5)) controlFlags |= flag;
	const cr4 = 0x220n | (hasSmap ? 0x20_0000n : 0n) | (random.oneIn(2) ? 0x80n : 0n) | (hasLa57 ? 0x1000n : 0n);
	Object.assign(state, {
		...{rip: BigInt(at), controlFlags, cr2: 0n, cr3: BigInt(hasLa57 ? topTable : tables), cr4},
		...{cr0: random.oneIn(2) ? 0x8001_0033n : 0x8000_0033n, efer: random.oneIn(4) ? 0x501n : 0xd01n},
	});
	state.vector256.fill(random.u64());
	processor.isHalted = false;
	processor.changed();
	// What generated code needs for the first fault too.
	for (const place of [descriptors, gates, task]) processor.mmu.systemPlace(place, 0, 8, 'read');
	for (const top of [stack, interruptStack]) processor.mmu.systemPlace(top - 64, 0, 8, 'write');
	if (!isGenerated) state.walkShift = 0;
	return processor.run(budget);
}

/** Counts how often a processor leaves accesses, and deliveries, to TypeScript. */
function counting({processor}: GuestProcessor) {
	const counts = {accesses: 0, deliveries: 0};
	const {mmu, interrupts} = processor;
	const {access} = mmu;
	const deliver = interrupts.deliver.bind(interrupts);
	Object.assign(mmu, {
		access: (...of: Parameters<typeof access>) => {
			counts.accesses++;
			return access(...of);
		},
	});
	Object.assign(interrupts, {
		deliver: (...of: Parameters<typeof deliver>) => {
			counts.deliveries++;
			deliver(...of);
		},
	});
	return counts;
}

/** All that has to be alike: registers, entries of the TLB, RAM. */
function imageOf({processor, ram}: GuestProcessor): readonly Uint8Array[] {
	const {memory, state} = processor.core;
	state.walkShift = 0;
	const image = new Uint8Array(memory, 0, CpuState.offset('instructions')).slice();
	return [image, new Uint8Array(memory, memoryMap.tlb, memoryMap.jumps - memoryMap.tlb), ram];
}

function compare(t: ExecutionContext, number: number, ours: GuestProcessor, theirs: GuestProcessor): void {
	const [one, other] = [imageOf(ours), imageOf(theirs)];
	for (const [index, name] of ['registers', 'TLB', 'RAM'].entries()) {
		const [first, second] = [one[index] as Uint8Array, other[index] as Uint8Array];
		if (Buffer.compare(first, second) === 0) continue;
		const at = first.findIndex((byte, place) => byte !== second[place]);
		t.fail(`case ${number}: ${name} differ from byte ${at.toString(16)} on`);
	}
}

test('walks and page faults in generated code are what TypeScript makes of them', (t) => {
	const [ours, theirs] = [startBytes([hlt]), startBytes([hlt])];
	const {core} = theirs.processor;
	Object.assign(core, {runOn: (record: number) => core.run(record)});
	const [own, other] = [counting(ours), counting(theirs)];
	const ends = new Map<string, number>();
	for (let number = 1; number <= cases; number++) {
		const end = runCase(number, ours, true);
		t.is(end, runCase(number, theirs, false), `case ${number}`);
		compare(t, number, ours, theirs);
		ends.set(end, (ends.get(end) ?? 0) + 1);
	}
	t.true(
		other.accesses - own.accesses > cases / 2,
		`${own.accesses} of ${other.accesses} accesses are left to TypeScript`,
	);
	t.true(other.deliveries - own.deliveries > cases / 2, `${own.deliveries} of ${other.deliveries} deliveries`);
	t.true((ends.get('halted') ?? 0) > cases / 2);
});
