/** Ways to address a given place: ModRM and SIB (SDM volume 2, tables 2-2, 2-3 and section 2.2.1). */
import {type CaseBuilder, registerNumber} from './case-builder.ts';
import {windowAddress} from './layout.ts';
import {windowBytes} from './processor-state.ts';

const {rsp} = registerNumber;
const int32 = {min: -(2n ** 31n), max: 2n ** 31n - 1n};
/** RIP-relative displacements reach these from the code. */
const ripReach = 0xe000_0000n;

/** Chooses a base such that elements lie around the middle of the window, and a vector of indices. */
export function placeElements(c: CaseBuilder): void {
	const {random, addressing} = c;
	reset(c);
	addressing.scale = random.below(4);
	addressing.base = random.below(16);
	const isApart = (index: number) => index !== c.reg && index !== c.other;
	do addressing.index = random.below(16);
	while (!isApart(addressing.index) && !random.oneIn(8));
	setDisplacement(c, BigInt(random.u32() | 0) >> BigInt(random.pick([0, 16, 24, 31])));
	c.setAddress(addressing.base, BigInt(windowAddress + windowBytes / 2) - addressing.displacement);
}

/** Chooses registers and a displacement, and gives the registers that are free values, so that the effective address is `wanted`. */
export function placeOperand(c: CaseBuilder, wanted: bigint): void {
	for (let attempt = 0; attempt < 16; attempt++) if (isPlaced(c, wanted)) return;
	const free = registerNumber.r15;
	reset(c);
	c.addressing.base = free;
	c.setAddress(free, wanted);
}

/** Chooses any registers and displacement: the address is only computed. */
export function placeAnywhere(c: CaseBuilder): void {
	const {random, addressing} = c;
	reset(c);
	const shape = random.below(8);
	if (shape === 0) addressing.isRipRelative = true;
	if (shape > 1) addressing.base = random.below(16);
	if (shape === 1 || shape > 4) chooseIndex(c);
	setDisplacement(c, BigInt(random.u32() | 0) >> BigInt(random.pick([0, 8, 24, 31])));
}

function reset({addressing}: CaseBuilder): void {
	addressing.base = -1;
	addressing.index = -1;
	addressing.scale = 0;
	addressing.displacement = 0n;
	addressing.displacementBytes = 0;
	addressing.isRipRelative = false;
}

function chooseIndex({random, addressing}: CaseBuilder): void {
	const index = random.below(16);
	addressing.index = index === rsp ? -1 : index;
	addressing.scale = random.below(4);
}

/** False when the registers that were chosen have values which no displacement makes up for. */
function isPlaced(c: CaseBuilder, wanted: bigint): boolean {
	const {random, addressing} = c;
	reset(c);
	const shape = random.below(8);
	if (shape === 0) {
		addressing.isRipRelative = true;
		return c.isAddress32 || wanted < ripReach;
	}
	if (shape > 1) addressing.base = random.below(16);
	if (shape === 1 || shape > 4) chooseIndex(c);
	const {base, index, scale} = addressing;
	const factor = 1n << BigInt(scale);
	const isBaseFree = base >= 0 && !c.isFixed(base);
	const isIndexFree = index >= 0 && !c.isFixed(index);
	if (isBaseFree && base === index) {
		const displacement = BigInt(random.below(100));
		if (wanted < displacement) return false;
		c.setAddress(base, (wanted - displacement) / (factor + 1n));
	} else if (isBaseFree) {
		// The index is any; the displacement is any.
		const displacement = BigInt(random.u32() | 0) >> BigInt(random.pick([0, 16, 24, 31]));
		const rest = index < 0 ? 0n : c.register(index) * factor;
		c.setAddress(base, wanted - displacement - rest - (base === rsp ? c.stackBias : 0n));
		if (index >= 0) c.fixed |= 1 << index;
	} else if (isIndexFree && base < 0) {
		const displacement = (BigInt(random.u32() | 0) & ~(factor - 1n)) | (wanted & (factor - 1n));
		const width = c.isAddress32 ? 32n : 64n;
		// The bits that the factor moves out are any.
		const top = BigInt(random.below(8)) << (width - BigInt(scale));
		c.setAddress(index, (BigInt.asUintN(Number(width), wanted - displacement) >> BigInt(scale)) + top);
	} else if (isIndexFree) {
		c.setAddress(index, BigInt(random.below(64) - 32));
	}
	return isReached(c, wanted);
}

/** Sets the displacement that is left, if it has 32 bits. */
function isReached(c: CaseBuilder, wanted: bigint): boolean {
	const {base, index, scale} = c.addressing;
	let sum = 0n;
	if (base >= 0) sum += c.register(base) + (base === rsp ? c.stackBias : 0n);
	if (index >= 0) sum += c.register(index) << BigInt(scale);
	const displacement = BigInt.asIntN(c.isAddress32 ? 32 : 64, wanted - sum);
	if (displacement < int32.min || displacement > int32.max) return false;
	setDisplacement(c, displacement);
	return true;
}

function setDisplacement({addressing, random}: CaseBuilder, displacement: bigint): void {
	addressing.displacement = displacement;
	const {base, isRipRelative} = addressing;
	const fits8 = displacement >= -128n && displacement <= 127n;
	if (base < 0 || isRipRelative || !fits8 || random.oneIn(4)) addressing.displacementBytes = 4;
	// RBP and R13 have no encoding without a displacement.
	else addressing.displacementBytes = displacement === 0n && (base & 7) !== 5 && random.oneIn(2) ? 0 : 1;
}
