import type {Random} from '#test/silicon';
import type {CodeSize} from '#vcpu-worker/software/decode';
import type {Processor} from '#vcpu-worker/software/system';
import {fillCode} from './random-code.ts';

/** Modes in which code is executed. */
export const modes = [
	'real',
	'protected16',
	'protected32',
	'virtual',
	'compatibility16',
	'compatibility32',
	'long',
] as const;
export type Mode = (typeof modes)[number];

/** RAM of these machines, with a hole between its parts that no device has; the last one ends above 4 GiB. */
export const ramRanges = [
	{gpa: 0, length: 0x6_0000},
	{gpa: 0x8_0000, length: 0x2_0000},
	{gpa: 2 ** 32, length: 0x1_0000},
] as const;
/** What reads as a ROM: its bytes are told by the address. */
export const rom = {gpa: 0xf_0000, length: 0x1_0000} as const;

/** Where a scene has what. */
const place = {
	gdt: 0x1000,
	idt: 0x2000,
	tss: 0x3000,
	ldt: 0x4000,
	pages: 0x5000,
	code: 0x1_0000,
	stack: 0x2_8000,
} as const;
const pageTables = 12;
const codeBytes = 0x1000;
const ramBytes = 0x6_0000;
const codeSizes: Readonly<Record<Mode, CodeSize>> = {
	real: 16,
	protected16: 16,
	protected32: 32,
	virtual: 16,
	compatibility16: 16,
	compatibility32: 32,
	long: 64,
};
const Cr0 = {PE: 1n, ET: 0x10n, NE: 0x20n, PG: 1n << 31n} as const;
const apicPage = 0xfee0_0000n;
const all = 2n ** 64n - 1n;
/** Bits of CR4 that there are, beside PAE. */
const cr4Bits = [0n, 1n, 2n, 3n, 4n, 7n, 8n, 9n, 10n, 11n, 16n, 18n];
/** SMEP and SMAP, with which a kernel does not get far in pages of programs. */
const guardBits = [20n, 21n];

const someBits = (random: Random, bits: readonly bigint[], times: number): bigint =>
	bits.reduce((sum, bit) => sum | (random.oneIn(times) ? 1n << bit : 0n), 0n);

/** A value near those that matter: places of the scene, ends of address spaces, small and any. */
function value(random: Random): bigint {
	const near = BigInt(random.below(64)) - 32n;
	const base = random.pick([
		...[0n, BigInt(random.below(ramBytes)), BigInt(place.code + random.below(codeBytes)), BigInt(place.stack)],
		...[BigInt(place.pages + random.below(pageTables * 4096)), BigInt(place.gdt + random.below(0x4000))],
		...[0x6_0000n, 0x8_0000n, BigInt(rom.gpa), apicPage + BigInt(random.below(0x100) * 16)],
		...[1n << 16n, 1n << 31n, 1n << 32n, 1n << 40n, 1n << 47n, all - (1n << 47n) + 1n, 1n << 52n, 1n << 63n, 0n],
		...[BigInt(random.u32()), random.u64()],
	]);
	return BigInt.asUintN(64, base + (random.oneIn(2) ? near : 0n));
}

/** A descriptor of 8 bytes. */
function descriptor(base: bigint, limit: number, type: number, flags: number): bigint {
	const low = BigInt(limit & 0xffff) | ((base & 0xff_ffffn) << 16n);
	return low | (BigInt(type | ((limit >> 8) & 0xf00) | (flags << 12)) << 40n) | (((base >> 24n) & 0xffn) << 56n);
}

/** A descriptor of any kind: code, data, a TSS, an LDT, a gate, noise. */
function anyDescriptor(random: Random): bigint {
	const dpl = random.below(4) << 5;
	const type = random.pick([0x80, 0x80, 0x80, 0]) | dpl | random.below(32);
	const isGate = (type & 0x10) === 0 && random.oneIn(2);
	if (random.oneIn(8)) return random.u64();
	if (isGate) return gate(random, type);
	const base = random.pick([0n, 0n, BigInt(place.tss), value(random) & 0xffff_ffffn]);
	return descriptor(
		base,
		random.pick([0xf_ffff, 0xf_ffff, 0xffff, 0x67, 0x2b, random.below(0x10_0000)]),
		type,
		random.below(16),
	);
}

/** A gate to code of the scene, mostly by a selector that there is. */
function gate(random: Random, type: number, rare = 4): bigint {
	const offset = random.oneIn(rare) ? random.u32() : place.code + random.below(codeBytes);
	const selector = random.oneIn(rare)
		? random.u32() & 0xffff
		: random.oneIn(rare)
			? random.pick([0x18, 0x20, 0x28, 0x30, 0x38])
			: 8;
	const stack = random.oneIn(rare) ? random.below(8) : 0;
	const low = BigInt(((offset & 0xffff) | (selector << 16)) >>> 0);
	return low | (BigInt(type) << 40n) | (BigInt(stack) << 32n) | (BigInt(offset >>> 16) << 48n);
}

/** An entry of page tables: as it would be for flat memory, or one that leads anywhere, itself included. */
function pageEntry(random: Random, flat: bigint, rare = 1): bigint {
	if (!random.oneIn(rare)) return flat | 7n;
	const page = random.pick([
		...[flat & ~0xfffn, BigInt(place.pages + random.below(pageTables) * 4096), 0x6_0000n, BigInt(rom.gpa), apicPage],
		...[1n << 32n, (1n << 32n) + 0x1_0000n, 1n << 39n, 1n << 41n, random.u64() & 0xf_ffff_ffff_f000n],
	]);
	return page | BigInt(random.below(0x200)) | (random.oneIn(2) ? 7n : 0n) | (random.oneIn(8) ? 1n << 63n : 0n);
}

/** Page tables of 4 KiB, which map the low 2 MiB flat but for what is random; levels as the mode has them. */
function writePages(random: Random, ram: DataView, levels: 0 | 2 | 3 | 4, rare: number): void {
	const write = (table: number, index: number, entry: bigint) => {
		const at = place.pages + table * 4096;
		if (levels === 2) ram.setUint32(at + (index % 1024) * 4, Number(entry & 0xffff_ffffn), true);
		else ram.setBigUint64(at + (index % 512) * 8, entry, true);
	};
	const pointer = (table: number): bigint => BigInt(place.pages + table * 4096);
	const depth = levels === 0 ? 0 : levels - 1;
	for (let level = 0; level < depth; level++) {
		const isPointers = levels === 3 && level === 0;
		const entry = pointer(level + 1) | (isPointers ? 1n : 7n);
		write(level, 0, isPointers ? entry : pageEntry(random, entry, rare * 20));
		// The same memory elsewhere: in the upper half, the last GiB, and where the tables map themselves.
		for (const index of [1, 255, 256, 510, 511, random.below(512)])
			if (!random.oneIn(3) && !isPointers) write(level, index, pageEntry(random, entry, 2));
	}
	const entries = levels === 2 ? 1024 : 512;
	for (let index = 0; index < entries; index++) {
		const flat = BigInt(index * 4096);
		write(depth, index, pageEntry(random, flat, flat < 0x3_0000n ? rare * 20 : 4));
	}
}

/** Fills RAM and registers: a scene in one of the modes, of which nothing can be trusted. */
export function makeScene(random: Random, mode: Mode, ram: Uint8Array, processor: Processor): void {
	const view = new DataView(ram.buffer, ram.byteOffset, ram.length);
	const {state} = processor.core;
	const isLong = mode === 'long' || mode.startsWith('compatibility');
	const isReal = mode === 'real';
	const privilege = isReal ? 0 : mode === 'virtual' ? 3 : random.pick([0, 0, 3, 3, 1, 2]);
	const codeSize = codeSizes[mode];
	const isWide = codeSize === 64;
	// How seldom something is wrong: some guests live long, others get nowhere.
	const rare = random.pick([8, 32, 128, 512]);
	for (let at = place.gdt; at < place.pages; at += 8) view.setBigUint64(at, random.oneIn(4) ? value(random) : 0n, true);
	const vector = () => (random.oneIn(rare) ? random.u32() : ((place.code >> 4) << 16) | random.below(codeBytes));
	for (let at = 0; at < 0x400; at += 4) view.setUint32(at, vector(), true);
	fillCode(random, ram.subarray(place.code, place.code + codeBytes), codeSize);
	writeTables(random, view, mode, privilege, rare);
	const levels = isLong ? 4 : isReal ? 0 : random.pick([0, 2, 3] as const);
	writePages(random, view, levels, rare);
	Object.assign(state, {
		cr0: isReal
			? Cr0.ET
			: Cr0.PE |
				Cr0.ET |
				Cr0.NE |
				someBits(random, [16n, 18n], 2) |
				someBits(random, [1n, 2n, 3n, 30n], 8) |
				(levels > 0 ? Cr0.PG : 0n),
		cr2: random.u64(),
		cr3: BigInt(place.pages) | (levels === 3 && random.oneIn(8) ? BigInt(random.below(128) * 32) : 0n),
		cr4: someBits(random, cr4Bits, 4) | someBits(random, guardBits, rare) | 0x600n | (levels >= 3 ? 0x20n : 0n),
		efer: (isLong ? 0x500n : 0n) | someBits(random, [0n, 11n], 2),
		mxcsr: random.oneIn(2) ? 0x1f80 : random.below(0x1_0000),
		x87Control: random.oneIn(2) ? 0x37f : (random.u32() & 0x1f7f) | 0x40,
		x87Status: random.u32() & 0x3f00,
		x87Tags: random.below(256),
		controlFlags: flags(random, mode),
		rip: BigInt(isReal || mode === 'virtual' ? random.below(codeBytes) : place.code + random.below(codeBytes)),
	});
	for (let index = 0; index < 16; index++)
		state.general[index] = isWide || index < 8 ? value(random) & (isWide ? all : 0xffff_ffffn) : 0n;
	if (!random.oneIn(8))
		state.general[4] = BigInt(place.stack + random.below(256) * 8) & (isReal || mode === 'virtual' ? 0xffffn : all);
	for (let index = 0; index < 64; index++)
		if ((index & 3) < 2) state.vector256[index] = random.oneIn(2) ? value(random) : random.u64();
	for (const register of state.x87)
		Object.assign(register, {significand: random.u64(), signExponent: random.u32() & 0xffff});
	setSegments(random, processor, mode, privilege, rare);
	if (random.oneIn(6)) setBreakpoints(random, processor);
	for (const index of [0x174, 0x175, 0x176, 0xc000_0081, 0xc000_0082, 0xc000_0083, 0xc000_0084])
		processor.msrs.write(
			index,
			random.oneIn(3) ? value(random) : index === 0xc000_0081 ? 0x0018_0008_0001_0000n : BigInt(place.code),
		);
	processor.core.privilegeInputs.fill(-1);
	processor.changed();
}

const flags = (random: Random, mode: Mode): number =>
	2 |
	(random.oneIn(2) ? 0x200 : 0) |
	(random.oneIn(8) ? 0x100 : 0) |
	(random.oneIn(4) ? 0x400 : 0) |
	(random.below(4) << 12) |
	(random.oneIn(8) ? 0x4000 : 0) |
	(random.oneIn(8) ? 0x1_0000 : 0) |
	(random.oneIn(4) ? 0x4_0000 : 0) |
	(random.oneIn(8) ? 0x18_0000 : 0) |
	(mode === 'virtual' ? 0x2_0000 : 0);

/** Descriptors that a scene needs at fixed selectors, and any others; gates, most of them good; a TSS. */
function writeTables(random: Random, view: DataView, mode: Mode, privilege: number, rare: number): void {
	const isLong = mode === 'long' || mode.startsWith('compatibility');
	const size = (bits: CodeSize): number => (bits === 64 ? 0xa : bits === 32 ? 0xc : 8);
	const own = codeSizes[mode];
	const fixed = [
		...[0n, descriptor(0n, 0xf_ffff, 0x9b, size(isLong ? 64 : own)), descriptor(0n, 0xf_ffff, 0x93, 0xc)],
		...[
			descriptor(0n, 0xf_ffff, 0x9b | (privilege << 5), size(own)),
			descriptor(0n, 0xf_ffff, 0x93 | (privilege << 5), 0xc),
		],
		...[
			descriptor(0n, 0xf_ffff, 0xfb, size(own)),
			descriptor(0n, 0xf_ffff, 0xf3, 0xc),
			descriptor(BigInt(place.tss), 0x2ff, random.pick([0x89, 0x8b, 0x81]), 0),
		],
	];
	for (let index = 0; index < 512; index++)
		view.setBigUint64(
			place.gdt + index * 8,
			fixed[index] !== undefined && !random.oneIn(rare * 2) ? (fixed[index] as bigint) : anyDescriptor(random),
			true,
		);
	for (let vector = 0; vector < 256; vector++) {
		const type = random.oneIn(rare) ? random.below(256) : random.pick([0xee, 0xef, 0x8e]);
		const entry = gate(random, random.oneIn(rare) ? 0xe5 : type, rare);
		if (isLong) view.setBigUint64(place.idt + vector * 16, entry, true);
		else view.setBigUint64(place.idt + vector * 8, entry, true);
		if (isLong) view.setBigUint64(place.idt + vector * 16 + 8, random.oneIn(rare) ? random.u64() : 0n, true);
	}
	for (let offset = 4; offset < 0x68; offset += 4)
		view.setUint32(
			place.tss + offset,
			random.oneIn(rare)
				? Number(value(random) & 0xffff_ffffn)
				: (offset - 4) % 8 === 0
					? place.stack
					: isLong
						? 0
						: 0x10,
			true,
		);
	view.setUint16(place.tss + 0x66, random.pick([0x68, 0x68, 0xffff, random.below(0x300)]), true);
}

function setSegments(random: Random, processor: Processor, mode: Mode, privilege: number, rare: number): void {
	const {state} = processor.core;
	const segments = [...state.segments];
	const is86 = mode === 'real' || mode === 'virtual';
	const own = codeSizes[mode];
	const attributes = own === 64 ? 0xa09b : own === 32 ? 0xc09b : 0x809b;
	for (const [index, segment] of segments.entries()) {
		const selector = is86
			? index === 1
				? place.code >> 4
				: random.below(0x6000)
			: (index === 1 ? 0x18 : 0x20) | privilege;
		if (is86)
			Object.assign(segment, {
				selector,
				base: BigInt(selector * 16),
				limit: 0xffff,
				attributes: mode === 'virtual' ? 0xf3 : index === 1 ? 0x9b : 0x93,
			});
		else {
			const base = index > 3 && random.oneIn(2) ? value(random) & (own === 64 ? 0x7fff_ffff_ffffn : 0xffff_ffffn) : 0n;
			Object.assign(segment, {
				selector,
				base,
				limit: random.oneIn(rare) ? random.below(0x3_0000) : 0xffff_ffff,
				attributes: (index === 1 ? attributes : 0xc093) | (privilege << 5),
			});
		}
	}
	if (!is86) Object.assign(segments[1] ?? {}, {base: 0n, limit: 0xffff_ffff});
	Object.assign(segments[6] ?? {}, {
		selector: 0x50,
		base: BigInt(place.ldt),
		limit: random.pick([0xfff, 7]),
		attributes: 0x82,
	});
	Object.assign(segments[7] ?? {}, {
		selector: 0x38,
		base: BigInt(place.tss),
		limit: random.oneIn(rare) ? random.pick([0x67, 0x2b, 3]) : 0x2ff,
		attributes: random.oneIn(rare) ? 0x83 : 0x8b,
	});
	Object.assign(state.gdtr, {base: BigInt(place.gdt), limit: random.oneIn(rare) ? random.below(0x1000) : 0xfff});
	if (mode === 'real') Object.assign(state.idtr, {base: 0n, limit: random.oneIn(rare) ? 0x20 : 0x3ff});
	else Object.assign(state.idtr, {base: BigInt(place.idt), limit: random.oneIn(rare) ? random.below(0x1000) : 0xfff});
}

function setBreakpoints(random: Random, processor: Processor): void {
	const {debug} = processor.core.state;
	for (let index = 0; index < 4; index++)
		debug[index] = random.oneIn(2) ? BigInt(place.code + random.below(256)) : value(random);
	debug[7] = BigInt((random.u32() & 0xffff_23ff) >>> 0) | 0x400n;
}

/** Has the processor go on elsewhere in the scene's code, with other values in registers: it would end in a loop of faults. */
export function stir(random: Random, processor: Processor): void {
	const {state} = processor.core;
	const base = state.segments[1]?.base ?? 0n;
	state.rip = BigInt.asUintN(32, BigInt(place.code + random.below(codeBytes)) - base);
	for (let count = random.below(6); count > 0; count--) {
		const register = random.below(16);
		if (register !== 4) state.general[register] = value(random);
		else state.general[register] = BigInt(place.stack + random.below(256) * 8);
	}
}
