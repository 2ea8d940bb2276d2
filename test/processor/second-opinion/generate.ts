import type {Random} from '#test/silicon';
import {type LegacyForm, legacyForms, type Mode, modes} from './forms.ts';
import {specialPages} from './image.ts';
import {CaseInput, codeBytes, codeOffset, Entry, memory, Selector, zone} from './layout.ts';

/** A case, with what the manual leaves undefined after it. */
export interface LegacyCase {
	readonly form: LegacyForm;
	readonly mode: Mode;
	readonly code: readonly number[];
	readonly input: Uint8Array;
	readonly operandSize: number;
	readonly isMemory: boolean;
	/** Offset of the operand in memory. */
	readonly target: number;
	readonly undefinedFlags: number;
	/** So after an exception. */
	readonly undefinedFaultFlags: number;
	/** Number of a register that is undefined; -1 for none. */
	readonly undefinedRegister: number;
	/** The operand in memory is undefined. */
	readonly isMemoryUndefined: boolean;
}

/** Middle of what is compared in each window: operands and the stack pointer are near. */
const middle = zone.offset + zone.bytes / 2;
const [ES, SS, DS, FS, GS] = [0, 2, 3, 4, 5] as const;
const overrides: Readonly<Record<number, number>> = {[ES]: 0x26, [SS]: 0x36, [DS]: 0x3e, [FS]: 0x64, [GS]: 0x65};
const overridden = [ES, SS, DS, FS, GS] as const;
const statusFlags = 0x8d5;
const [DF, IOPL, VM, AC] = [0x400, 0x3000, 0x2_0000, 0x4_0000];
const EAX = 0;
const [ECX, EDX, EBX, ESP, EBP, ESI, EDI] = [1, 2, 3, 4, 5, 6, 7] as const;
/** Registers that 16-bit addresses add, by ModRM.rm (SDM volume 2, table 2-1). */
const sums16: readonly (readonly number[])[] = [
	[EBX, ESI],
	[EBX, EDI],
	[EBP, ESI],
	[EBP, EDI],
	[ESI],
	[EDI],
	[EBP],
	[EBX],
];

const dataSelectors = [
	Selector.data,
	Selector.data | 3,
	Selector.flatOuter | 3,
	Selector.readOnly,
	Selector.executeOnly,
	Selector.absent,
	Selector.conforming,
	Selector.innerData,
	Selector.innerData | 3,
	Selector.code32Outer | 3,
	Selector.localTable,
	Selector.task,
	Selector.localData | 3,
	Selector.localAbsent,
	0x1c,
	0,
	3,
	0xfff8,
];
/** SS stays where the cases' stacks are. */
const stackSelectors = {
	inner: [Selector.stack32, Selector.stack16, Selector.innerData, Selector.stack32Outer | 3, Selector.stack32 | 1],
	outer: [
		Selector.stack32Outer | 3,
		Selector.stack16Outer | 3,
		Selector.data | 3,
		Selector.stack32,
		Selector.stack32Outer,
	],
} as const;
const badStacks = [
	0,
	3,
	Selector.readOnly | 3,
	Selector.absent | 3,
	Selector.absent,
	Selector.localTable,
	0xfff8,
	Selector.code32,
];
const codeSelectors = [
	Selector.code32,
	Selector.code32Outer | 3,
	Selector.code16,
	Selector.code16Outer | 3,
	Selector.code32Outer,
	Selector.executeOnly | 3,
	Selector.conforming | 3,
	Selector.conforming,
	Selector.absentCode | 3,
	Selector.localCode | 3,
	Selector.data | 3,
	Selector.localTable,
	Selector.gate32 | 3,
	Selector.gate32,
	Selector.gate16 | 3,
	Selector.outerGate | 3,
	Selector.absentGate | 3,
	0,
	0xfff8,
];
const realSegments = [memory.data >> 4, memory.code >> 4, memory.stack >> 4];
const realCode = memory.code >> 4;

class Builder {
	readonly random: Random;
	readonly bytes = new Uint8Array(CaseInput.size);
	readonly view = new DataView(this.bytes.buffer);
	readonly input = CaseInput.on(this.bytes.buffer);
	/** By their numbers in instructions. */
	readonly registers = new Uint32Array(8);
	readonly mode: Mode;
	readonly codeSize: 16 | 32;
	/** It has segments of the 8086. */
	readonly isReal: boolean;
	readonly isInner: boolean;
	/** Offset of the operand in memory, and whether it is on the stack. */
	target = middle;
	isTargetOnStack = false;
	code: readonly number[] = [];

	constructor(random: Random, mode: Mode) {
		this.random = random;
		this.mode = mode;
		this.isReal = mode === 'real' || mode === 'virtual';
		this.isInner = mode.startsWith('inner');
		this.codeSize = mode.endsWith('32') ? 32 : 16;
	}

	value(): number {
		const {random} = this;
		const any = random.u32();
		switch (random.below(6)) {
			case 0:
				return any & 0x3f;
			case 1:
				return ~(any & 0x3f) >>> 0;
			case 2:
				return ((1 << (any & 31)) + random.below(3) - 1) >>> 0;
			case 3:
				return ((any & ~0xffff) | (0x7fff + random.below(3))) >>> 0;
			default:
				return any;
		}
	}

	/** Writes a number in the zone of data or of the stack. */
	poke(zoneName: 'data' | 'stack', offset: number, bytes: number, value: number): void {
		const at = CaseInput.offset(zoneName) + offset - zone.offset;
		for (let index = 0; index < bytes; index++)
			if (offset + index >= zone.offset && offset + index < zone.offset + zone.bytes)
				this.bytes[at + index] = index < 4 ? value >>> (8 * index) : 0;
	}

	pokeTarget(behind: number, bytes: number, value: number): void {
		this.poke(this.isTargetOnStack ? 'stack' : 'data', this.target + behind, bytes, value);
	}

	/** Writes what an instruction finds on its stack. */
	pokeStack(behind: number, bytes: number, value: number): void {
		this.poke('stack', ((this.registers[ESP] as number) & 0xffff) + behind, bytes, value);
	}

	dataSelector(): number {
		return this.random.pick(this.isReal ? realSegments : dataSelectors);
	}

	stackSelector(): number {
		if (this.isReal) return memory.stack >> 4;
		const good = this.isInner ? stackSelectors.inner : stackSelectors.outer;
		return this.random.oneIn(2) ? this.random.pick(good) : this.random.pick(badStacks);
	}

	codeSelector(): number {
		return this.isReal ? realCode : this.random.pick(codeSelectors);
	}

	/** A place behind the case's own code, which could otherwise run for ever. */
	codeTarget(): number {
		return 0x200 + this.random.below(0xfdf0);
	}
}

interface Encoding {
	/** The operand that ModRM.rm names is in memory. */
	readonly isMemory: boolean;
	readonly reg: number;
	readonly rm: number;
}

/** Makes a case of a form. */
export function generate(random: Random): LegacyCase {
	const mode = random.pick(modes);
	const form = pickForm(random, mode);
	return build(new Builder(random, mode), form);
}

function pickForm(random: Random, mode: Mode): LegacyForm {
	for (;;) {
		const form = random.pick(legacyForms);
		if (form.isOuterOnly !== true || mode.startsWith('outer') || mode === 'virtual') return form;
	}
}

function build(c: Builder, legacy: LegacyForm): LegacyCase {
	const {random, input, registers, codeSize} = c;
	const {form, role} = legacy;
	random.fill(new Uint32Array(c.bytes.buffer, 0, c.bytes.length / 4));
	input.code.fill(0xcc);
	for (let index = 0; index < 8; index++) registers[index] = c.value();
	// POPA takes 32 bytes.
	registers[ESP] = (form.mnemonic === 'popa' ? zone.offset : middle - 8) + random.below(16);
	const size = random.pick(legacy.sizes);
	const operand = size === 8 ? (form.size === 8 ? 8 : codeSize) : size;
	const addressSize = random.oneIn(5) ? 48 - codeSize : codeSize;
	const rmBytes = bytesOf(form.rm?.bytes ?? 0, form.size, operand);
	const encoding: Encoding = {
		isMemory: form.rm !== undefined && (form.rm.kind === 'M' || (form.rm.kind === 'E' && !random.oneIn(3))),
		reg: form.digit ?? pickRegister(c, legacy),
		rm: pickRegister(c, legacy),
	};
	const segment = chooseTarget(c, legacy, rmBytes);
	prepare(c, legacy, encoding, operand, addressSize, rmBytes);
	const isRepeated = form.repeat !== undefined && !random.oneIn(3);
	const code = [
		...(segment.prefix === undefined ? [] : [segment.prefix]),
		...(operand !== codeSize && operand !== 8 ? [0x66] : []),
		...(addressSize !== codeSize ? [0x67] : []),
		...(isRepeated ? [form.repeat === 'repe' && random.oneIn(2) ? 0xf2 : 0xf3] : []),
		// Only where it is defined: QEMU 7.2 executes much of the rest, or ends itself (SDM volume 2, LOCK).
		...(form.lock === true && encoding.isMemory && random.oneIn(4) ? [0xf0] : []),
		...(form.mandatoryPrefix === undefined ? [] : [form.mandatoryPrefix]),
		...opcodeOf(form.opcode, form.operands.some(({kind}) => kind === 'Z') ? encoding.rm : 0),
		...(form.rm === undefined ? [] : modRm(c, encoding, segment.default, addressSize)),
		...tail(c, legacy, operand, addressSize),
	];
	if (role === 'port') registers[EDX] = c.value();
	finish(c, legacy, code);
	return {
		form: legacy,
		mode: c.mode,
		code,
		input: c.bytes,
		operandSize: operand,
		isMemory: encoding.isMemory,
		target: c.target,
		...undefinedOf(c, legacy, encoding, operand, rmBytes, isRepeated),
	};
}

/** Bytes of an operand that the silicon's forms give for one size, for another one. */
function bytesOf(bytes: number, formSize: number, operand: number): number {
	if (operand === 8) return bytes;
	return bytes === formSize / 8 && bytes > 2 ? operand / 8 : bytes;
}

/** Registers that hold an operand of bytes are any; others must leave the stack where it is. */
function pickRegister(c: Builder, {form}: LegacyForm): number {
	const register = c.random.below(8);
	const isByte = form.size === 8 && form.operands.every(({bytes}) => bytes <= 1);
	return register === ESP && !isByte ? EBX : register;
}

/** Chooses where the operand in memory is, and the prefix that its segment needs, where it is not the usual one. */
function chooseTarget(
	c: Builder,
	{form}: LegacyForm,
	bytes: number,
): {prefix?: number; default: typeof DS | typeof SS} {
	const {random} = c;
	const byDefault = random.oneIn(2) ? DS : SS;
	const segment = random.oneIn(4) ? random.pick(overridden) : byDefault;
	c.isTargetOnStack = segment === SS;
	// The driver enters cases of the same privilege by a frame below their stack pointer.
	const lowest =
		c.isTargetOnStack && !c.mode.startsWith('outer') && c.mode !== 'virtual'
			? (c.registers[ESP] as number)
			: zone.offset;
	c.target = lowest + random.below(Math.max(1, zone.offset + zone.bytes - lowest - bytes));
	if (!c.isReal && !c.isTargetOnStack && random.oneIn(12) && form.role !== 'string') {
		const page = random.pick(Object.values(specialPages)) - memory.data;
		c.target = page + (random.oneIn(2) ? random.below(0xf00) : random.oneIn(2) ? 0x1000 - bytes : -1);
	}
	return {default: byDefault, ...(segment !== byDefault && {prefix: overrides[segment] as number})};
}

/** Puts in registers and memory what the form needs. */
function prepare(
	c: Builder,
	{form, role}: LegacyForm,
	encoding: Encoding,
	operand: number,
	addressSize: number,
	bytes: number,
): void {
	const {random, registers} = c;
	const operandBytes = operand / 8;
	const setRm = (value: number) => {
		if (encoding.isMemory) c.pokeTarget(0, Math.min(bytes, 4), value);
		else if (encoding.rm !== ESP) registers[encoding.rm] = value;
	};
	if (encoding.isMemory && bytes > 0) c.pokeTarget(0, Math.min(bytes, 4), c.value());
	switch (form.role) {
		case 'string':
			registers[ESI] = zone.offset + 16 + random.below(16);
			registers[EDI] = zone.offset + 16 + random.below(16);
			registers[ECX] = random.below(5) + (addressSize === 16 ? random.u32() & 0xffff_0000 : 0);
			break;
		case 'loop':
			registers[ECX] = random.below(3) + (random.oneIn(2) ? random.u32() & 0xffff_0000 : 0);
			break;
		case 'translate':
			registers[EBX] = (c.target - ((registers[EAX] as number) & 0xff)) & 0xffff;
			break;
		case 'compareExchange':
			if (random.oneIn(2)) setRm(registers[EAX] as number);
			break;
		case 'compareExchangePair':
			if (random.oneIn(2)) {
				registers[EAX] = c.value();
				registers[EDX] = c.value();
				c.pokeTarget(0, 4, registers[EAX] as number);
				c.pokeTarget(4, 4, registers[EDX] as number);
			}
			break;
		case 'divide':
			if (random.oneIn(2)) registers[EDX] = random.oneIn(2) ? 0 : 0xffff_ffff;
			if (random.oneIn(2)) registers[EAX] = random.below(0x300);
			break;
		case 'count':
			registers[ECX] = ((registers[ECX] as number) & ~0xff) | random.below(random.oneIn(2) ? 40 : 256);
			break;
		case 'bitOffset':
			registers[encoding.reg] = random.below(256) - 128;
			if (operand === 16) registers[encoding.reg] = ((registers[encoding.reg] as number) & 0xffff) | 0x55_0000;
			if (encoding.reg === ESP) registers[ESP] = middle;
			break;
		case 'jumpIndirect':
		case 'callIndirect':
			setRm(c.codeTarget());
			break;
		case 'return':
			c.pokeStack(0, operandBytes, c.codeTarget());
			break;
		case 'popFlags':
			c.pokeStack(0, operandBytes, random.u32() & ~0x100);
			break;
		case 'leave':
			registers[EBP] = zone.offset + random.below(zone.bytes - 8);
			break;
		case 'enter':
			registers[EBP] = middle + random.below(16);
			break;
		default:
	}
	switch (role) {
		case 'dataSelector':
			setRm(c.dataSelector());
			break;
		case 'absentSelector':
			setRm(random.pick([...dataSelectors, ...codeSelectors, ...badStacks]));
			break;
		case 'stackSelector':
			if (form.mnemonic === 'lss') {
				c.pokeTarget(0, operandBytes, middle - 8 + random.below(16));
				c.pokeTarget(operandBytes, 2, c.stackSelector());
			} else setRm(c.stackSelector());
			break;
		case 'pointerInMemory':
			c.pokeTarget(operandBytes, 2, c.dataSelector());
			break;
		case 'popSegment':
			c.pokeStack(0, operandBytes, c.dataSelector());
			break;
		case 'stackSegment':
			c.pokeStack(0, operandBytes, c.stackSelector());
			break;
		case 'farCall':
			c.pokeTarget(0, operandBytes, c.codeTarget());
			c.pokeTarget(operandBytes, 2, c.codeSelector());
			break;
		case 'farReturn':
		case 'interruptReturn': {
			const words = [c.codeTarget(), c.codeSelector()];
			if (role === 'interruptReturn') words.push(random.u32() & 0x25_3ed5);
			const stack = [
				middle - 8 + random.below(16),
				c.isInner && random.oneIn(3) ? Selector.stack32Outer | 3 : c.stackSelector(),
			];
			for (const [index, word] of [...words, ...stack].entries()) c.pokeStack(index * operandBytes, operandBytes, word);
			break;
		}
		default:
	}
}

function opcodeOf(opcode: readonly number[], low: number): readonly number[] {
	return opcode.map((byte, index) => (index === opcode.length - 1 ? byte | low : byte));
}

const little = (value: number, bytes: number): number[] =>
	Array.from({length: bytes}, (_, index) => (value >>> (8 * index)) & 0xff);

/** ModRM, SIB and displacement of the operand that ModRM.rm names. */
function modRm(
	c: Builder,
	{isMemory, reg, rm}: Encoding,
	segment: typeof DS | typeof SS,
	addressSize: number,
): number[] {
	const {random, registers, target} = c;
	if (!isMemory) return [0xc0 | (reg << 3) | rm];
	const register = (number: number) => registers[number] as number;
	if (addressSize === 16) {
		if (segment === DS && random.oneIn(4)) return [(reg << 3) | 6, ...little(target, 2)];
		const choices = segment === SS ? [2, 3, 6] : [0, 1, 4, 5, 7];
		const field = random.pick(choices);
		const sum = (sums16[field] as readonly number[]).reduce((total, number) => total + register(number), 0);
		return [0x80 | (reg << 3) | field, ...little(target - sum, 2)];
	}
	if (segment === DS && random.oneIn(6)) return [(reg << 3) | 5, ...little(target, 4)];
	const base = random.pick(segment === SS ? [EBP, ESP] : [EAX, ECX, EDX, EBX, ESI, EDI]);
	const index = random.below(8);
	if (base !== ESP && random.oneIn(2)) return [0x80 | (reg << 3) | base, ...little(target - register(base), 4)];
	const scale = random.below(4);
	const scaled = index === ESP ? 0 : Math.imul(register(index), 1 << scale);
	return [0x84 | (reg << 3), (scale << 6) | (index << 3) | base, ...little(target - register(base) - scaled, 4)];
}

/** Immediates, displacements of branches, and absolute addresses. */
function tail(c: Builder, {form, role}: LegacyForm, operand: number, addressSize: number): number[] {
	const {random} = c;
	if (role === 'codePointer') return [...little(c.codeTarget(), operand / 8), ...little(c.codeSelector(), 2)];
	return form.operands.flatMap(({kind, bytes}, index) => {
		if (kind === 'O') return little(c.target, addressSize / 8);
		if (kind === 'J') return bytes === 1 ? [random.below(0xe0)] : little(random.below(0x7000), operand / 8);
		if (kind !== 'I') return [];
		if (form.role === 'enter') return index === 0 ? little(random.below(16), 2) : [random.below(40)];
		if (form.role === 'return' || role === 'farReturn') return little(random.below(12), 2);
		const value = c.value();
		return little(value, bytesOf(bytes, 32, operand));
	});
}

function finish(c: Builder, {role}: LegacyForm, code: readonly number[]): void {
	const {random, input, registers, mode, isReal, isInner} = c;
	if (code.length > codeBytes - 1) throw new Error('a case is too long');
	c.code = code;
	input.code.set(code);
	for (const [index, number] of [EDI, ESI, EBP, ESP, EBX, EDX, ECX, EAX].entries())
		input.general[index] = registers[number] as number;
	const isVirtual = mode === 'virtual';
	const iopl = role === 'port' || mode === 'real' ? 0 : random.u32() & IOPL;
	const ac = isInner ? random.u32() & AC : 0;
	input.eflags = (random.u32() & (statusFlags | (random.oneIn(3) ? DF : 0))) | iopl | ac | (isVirtual ? VM : 0) | 2;
	input.eip = codeOffset;
	input.esp = registers[ESP] as number;
	input.entry = mode === 'real' ? Entry.real : isInner ? Entry.inner : Entry.outer;
	const selectors = {
		inner32: [Selector.code32, random.oneIn(2) ? Selector.stack32 : Selector.stack16],
		inner16: [Selector.code16, random.oneIn(2) ? Selector.stack32 : Selector.stack16],
		outer32: [Selector.code32Outer | 3, (random.oneIn(2) ? Selector.stack32Outer : Selector.stack16Outer) | 3],
		outer16: [Selector.code16Outer | 3, (random.oneIn(2) ? Selector.stack32Outer : Selector.stack16Outer) | 3],
		virtual: [realCode, memory.stack >> 4],
		real: [realCode, memory.stack >> 4],
	}[mode] as [number, number];
	[input.cs, input.ss] = selectors;
	input.segments.fill(isVirtual ? 0 : isReal ? memory.data >> 4 : Selector.data | 3);
	input.virtualSegments.fill(memory.data >> 4);
	const taken = isReal ? 6 : 12;
	input.stackAt = memory.stack + (registers[ESP] as number) - taken;
	input.stackBefore = (registers[ESP] as number) - taken;
	input.stackBeforeSegment = selectors[1];
}

function undefinedOf(
	c: Builder,
	{form}: LegacyForm,
	encoding: Encoding,
	operand: number,
	bytes: number,
	isRepeated: boolean,
): Pick<LegacyCase, 'undefinedFlags' | 'undefinedFaultFlags' | 'undefinedRegister' | 'isMemoryUndefined'> {
	const isFaultUndefined = (form.repeat === 'repe' && isRepeated) || form.role === 'divide';
	const undefinedFaultFlags = isFaultUndefined ? statusFlags : 0;
	const none = {undefinedFlags: 0, undefinedFaultFlags, undefinedRegister: -1, isMemoryUndefined: false};
	const {undefined: rule} = form;
	if (rule === undefined) return none;
	if (typeof rule === 'number') return {...none, undefinedFlags: rule};
	const width = bytes * 8;
	const [opcode = 0] = form.opcode;
	const hasImmediate = form.operands.some(({kind}) => kind === 'I');
	const immediate = c.code.at(-1) ?? 0;
	const cl = (c.registers[ECX] as number) & 0xff;
	const count = (opcode === 0xd0 || opcode === 0xd1 ? 1 : hasImmediate ? immediate : cl) & 31;
	// What is outside of the zone is not known here.
	const behind = c.target - zone.offset;
	const isKnown = behind >= 0 && behind < zone.bytes;
	const at = CaseInput.offset(c.isTargetOnStack ? 'stack' : 'data') + (isKnown ? behind : 0);
	const inMemory = isKnown ? c.view.getUint32(at, true) : 0;
	const source = encoding.isMemory ? inMemory : (c.registers[encoding.rm] as number);
	const isSourceZero = (operand === 16 ? source & 0xffff : source) === 0;
	const {flags, destination} = rule({width, count, isSourceZero});
	const isMemoryUndefined = destination === 'E' && encoding.isMemory;
	return {
		...none,
		undefinedFlags: flags,
		isMemoryUndefined,
		undefinedRegister:
			destination === undefined || isMemoryUndefined ? -1 : destination === 'G' ? encoding.reg : encoding.rm,
	};
}
