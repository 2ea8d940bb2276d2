/** The machine code of a case (SDM volume 2, chapter 2), with prefixes that change nothing now and then. */
import {type CaseBuilder, registerNumber} from './case-builder.ts';
import type {Operand, Vex} from './form.ts';
import {codeAddress} from './layout.ts';

const longestInstruction = 15;
const operandSizePrefix = 0x66;
const addressSizePrefix = 0x67;
const lockPrefix = 0xf0;
/** ES, CS, SS, DS: without a meaning in 64-bit mode. */
const segmentPrefixes = [0x26, 0x2e, 0x36, 0x3e];
/** SIB's code for no index. */
const noIndex = registerNumber.rsp;
/** Code of a base register that with ModRM.mod 0 means a displacement without it. */
const noBase = registerNumber.rbp;

export function encode(c: CaseBuilder): readonly number[] {
	const {form, random} = c;
	const prefixes: number[] = [];
	if (form.size === 16) prefixes.push(operandSizePrefix);
	if (c.isAddress32) prefixes.push(addressSizePrefix);
	if (c.isLocked) prefixes.push(lockPrefix);
	const repeat = c.repeat ?? form.mandatoryPrefix;
	if (repeat !== undefined) prefixes.push(repeat);

	const opcode = [...form.opcode];
	const operand = form.rm === undefined ? [] : modrm(c);
	const hasOpcodeRegister = form.operands.some(({kind}) => kind === 'Z');
	if (hasOpcodeRegister || form.operands.some(({kind}) => kind === 'S'))
		opcode[opcode.length - 1] = (opcode.at(-1) as number) | (c.reg & 7);
	const rex = chooseRex(c, hasOpcodeRegister);
	const vex = form.vex === undefined ? undefined : vexPrefix(c, form.vex, Math.max(rex, 0));
	const lead = vex ?? (rex < 0 ? [] : [rex]);
	c.hasRex = rex >= 0;
	const tail = [...opcode, ...operand];
	const displacementAt = form.rm !== undefined && c.isMemory && c.addressing.isRipRelative ? tail.length - 4 : -1;
	pushImmediates(c, tail);

	const relative = form.operands.find(({kind}) => kind === 'J');
	const relativeBytes = relative?.bytes ?? 0;
	let length = prefixes.length + lead.length + tail.length + relativeBytes;
	const isTooLong = form.isStrict !== true && random.oneIn(600);
	while (isTooLong && length <= longestInstruction)
		length = prefixes.unshift(random.pick(segmentPrefixes)) && length + 1;
	if (!isTooLong && random.oneIn(8)) addIdlePrefix(c, prefixes, longestInstruction - length);
	shuffle(prefixes, c);
	const bytes = [...prefixes, ...lead, ...tail];
	const end = codeAddress + c.start + bytes.length + relativeBytes;
	if (relative !== undefined) pushNumber(bytes, c.branchTarget - end, relativeBytes);
	if (displacementAt >= 0) {
		const target = form.role === 'address' ? BigInt(random.u32()) : c.target - c.beyond;
		const displacement = Number(BigInt.asIntN(32, target - BigInt(end)));
		const at = bytes.length - tail.length + displacementAt;
		for (let index = 0; index < 4; index++) bytes[at + index] = (displacement >>> (8 * index)) & 0xff;
	}
	return bytes;
}

/** Prefixes that none with a VEX prefix may have. */
const forbidden = [operandSizePrefix, 0xf2, 0xf3, 0x48];

/** The prefix in two bytes where they have room for it, or in three; now and then one that makes it undefined. */
function vexPrefix(c: CaseBuilder, {l, w, prefix, map}: Vex, rex: number): number[] {
	const {random, form} = c;
	const namesRegister = form.operands.some(({kind}) => kind === 'B' || kind === 'H');
	const register = namesRegister || random.oneIn(150) ? c.other : 0;
	const last = ((~register & 15) << 3) | ((l ?? random.below(2)) << 2) | prefix;
	const isWrong = random.oneIn(150) ? [random.pick(forbidden)] : [];
	if (map === 1 && (rex & 3) === 0 && (form.vex?.w ?? 0) === 0 && random.oneIn(2))
		return [...isWrong, 0xc5, ((~rex & 4) << 5) | last];
	return [...isWrong, 0xc4, ((~rex & 7) << 5) | map, ((w ?? random.below(2)) << 7) | last];
}

/** ModRM, SIB and displacement; that of a RIP-relative operand is zero until the end of the instruction is known. */
function modrm(c: CaseBuilder): number[] {
	const reg = (c.reg & 7) << 3;
	if (!c.isMemory) return [0xc0 | reg | (c.rm & 7)];
	const {base, index, scale, displacement, displacementBytes, isRipRelative} = c.addressing;
	if (isRipRelative) return [reg | noBase, 0, 0, 0, 0];
	const bytes: number[] = [];
	const mod = base < 0 || displacementBytes === 0 ? 0 : displacementBytes === 1 ? 0x40 : 0x80;
	if (base >= 0 && index < 0 && (base & 7) !== noIndex) bytes.push(mod | reg | (base & 7));
	else {
		const sibIndex = index < 0 ? noIndex : index & 7;
		bytes.push(mod | reg | noIndex, (scale << 6) | (sibIndex << 3) | (base < 0 ? noBase : base & 7));
	}
	pushNumber(bytes, Number(displacement), displacementBytes);
	return bytes;
}

const isMmx = ({kind}: Operand): boolean => kind === 'Q' || kind === 'N';

/** The REX prefix; -1 for none. Bits that have no meaning for the form are any. */
function chooseRex(c: CaseBuilder, hasOpcodeRegister: boolean): number {
	const {form, random, addressing} = c;
	const idle = (): number => (form.isStrict !== true && random.oneIn(16) ? 1 : 0);
	const hasRegister =
		form.digit === undefined && form.rm !== undefined && !form.operands.some(({kind}) => kind === 'P');
	const isWidthFixed = form.size === 8 || (form.size === 64 && !form.isWide);
	const w = form.isWide ? 1 : isWidthFixed ? idle() : 0;
	const r = hasRegister ? c.reg >> 3 : idle();
	let x = idle();
	let b = 0;
	if (hasOpcodeRegister) b = c.reg >> 3;
	else if (form.rm !== undefined) {
		if (!c.isMemory) b = isMmx(form.rm) ? idle() : c.rm >> 3;
		else if (addressing.isRipRelative) b = idle();
		else {
			const hasSib = addressing.index >= 0 || (addressing.base & 7) === noIndex || addressing.base < 0;
			if (hasSib) x = addressing.index < 0 ? 0 : addressing.index >> 3;
			b = addressing.base < 0 ? idle() : addressing.base >> 3;
		}
	}
	const rex = 0x40 | (w << 3) | (r << 2) | (x << 1) | b;
	return rex !== 0x40 || random.oneIn(8) ? rex : -1;
}

function pushImmediates(c: CaseBuilder, bytes: number[]): void {
	const {form, random} = c;
	const immediateMask = form.immediateBits === undefined ? -1 : (1 << form.immediateBits) - 1;
	form.immediates.forEach((size, index) => {
		const given = c.immediates[index];
		if (given !== undefined) pushNumber(bytes, given, size);
		else if (size === 8) {
			pushNumber(bytes, random.u32(), 4);
			pushNumber(bytes, random.u32(), 4);
		} else pushNumber(bytes, interestingImmediate(c, size) & immediateMask, size);
	});
	if (form.operands.some(({kind}) => kind === 'L')) bytes.push((c.last << 4) | random.below(16));
	const absolute = form.operands.find(({kind}) => kind === 'O');
	if (absolute === undefined) return;
	pushNumber(bytes, Number(BigInt.asIntN(32, c.target)), 4);
	if (!c.isAddress32) pushNumber(bytes, Number(BigInt.asIntN(32, c.target >> 32n)), 4);
}

function interestingImmediate({random}: CaseBuilder, bytes: number): number {
	const sign = 2 ** (8 * bytes - 1);
	return random.oneIn(3) ? random.pick([0, 1, -1, 2, 0x7f, -0x80, sign, sign - 1]) : random.u32() | 0;
}

/** One more prefix that has no effect, if there is room for it. */
function addIdlePrefix(c: CaseBuilder, prefixes: number[], room: number): void {
	const {form, random} = c;
	if (room <= 0) return;
	const isSizeIdle =
		form.isStrict !== true &&
		form.unit === undefined &&
		form.vex === undefined &&
		(form.size === 8 || form.isWide || form.size === 16);
	const choice = random.below(3);
	if (choice === 0 && isSizeIdle) prefixes.push(operandSizePrefix);
	// A faulting access relative to the stack pointer is another exception with some overrides, by maker.
	else if (choice === 1 && !c.isFaulting) prefixes.push(random.pick(segmentPrefixes));
	// A REX prefix that is not the last prefix is ignored: it goes before one that stays.
	else if (form.isStrict !== true && prefixes.length > 0) prefixes.push(0x40 | random.below(16));
}

/** Any order of prefixes is the same instruction, as long as REX is not the last. */
function shuffle(prefixes: number[], {random}: CaseBuilder): void {
	const isRex = (prefix: number): boolean => (prefix & 0xf0) === 0x40;
	for (let index = prefixes.length - 1; index > 0; index--) {
		const other = random.below(index + 1);
		const moved = prefixes[index] as number;
		prefixes[index] = prefixes[other] as number;
		prefixes[other] = moved;
	}
	const last = prefixes.length - 1;
	if (last > 0 && isRex(prefixes[last] as number)) prefixes.unshift(prefixes.pop() as number);
}

function pushNumber(bytes: number[], value: number, size: number): void {
	for (let index = 0; index < size; index++) bytes.push((value >>> (8 * index)) & 0xff);
}
