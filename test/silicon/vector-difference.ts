/** Compares the x87, SSE and AVX state of two cases. */
import type {ViewOf} from '#support/wire';
import type {Mask} from './mask.ts';
import {XsaveArea} from './processor-state.ts';

type Area = ViewOf<typeof XsaveArea>;

/** Places of what is compared, in words. FOP, FIP and FDP are not: processors of AMD write them only with an exception that is not masked. */
const place = {
	mxcsr: XsaveArea.offset('mxcsr') / 4,
	st: XsaveArea.offset('st') / 4,
	xmm: XsaveArea.offset('xmm') / 4,
	xmmEnd: XsaveArea.offset('xmm') / 4 + 64,
	ymmHigh: XsaveArea.offset('ymmHigh') / 4,
	end: XsaveArea.byteLength / 4,
};
const stWords = 4;

/** The same as no differences, in a form that costs little; `from` is where the areas begin. */
export function isSameVectors(a: Uint32Array, b: Uint32Array, from: number, mask: Mask): boolean {
	// FCW and FSW, then FTW.
	if ((((a[from] as number) ^ (b[from] as number)) & ~(mask.fsw << 16)) !== 0) return false;
	if ((((a[from + 1] as number) ^ (b[from + 1] as number)) & 0xff) !== 0) return false;
	if (a[from + place.mxcsr] !== b[from + place.mxcsr]) return false;
	for (let at = from + place.st; at < from + place.xmm; at += stWords) {
		if (a[at] !== b[at] || a[at + 1] !== b[at + 1]) return false;
		if ((((a[at + 2] as number) ^ (b[at + 2] as number)) & 0xffff) !== 0) return false;
	}
	for (let at = from + place.xmm; at < from + place.xmmEnd; at++) if (a[at] !== b[at]) return false;
	for (let at = from + place.ymmHigh; at < from + place.end; at++) if (a[at] !== b[at]) return false;
	return true;
}

export function vectorDifferences(want: Area, got: Area, mask: Mask): string[] {
	const found: string[] = [];
	const compare = (name: string, a: bigint | number | undefined, b: bigint | number | undefined): void => {
		if (a !== b) found.push(`${name} is ${b?.toString(16)}, not ${a?.toString(16)}`);
	};
	const defined = ~mask.fsw;
	compare('FCW', want.fcw, got.fcw);
	compare('FSW', want.fsw & defined, got.fsw & defined);
	compare('FTW', want.ftw, got.ftw);
	compare('MXCSR', want.mxcsr, got.mxcsr);
	for (const [index, register] of want.st.entries()) {
		const other = got.st[index] as typeof register;
		if (index < mask.inexactSt && isNear(register, other, mask.tolerance)) continue;
		compare(`ST(${index}) significand`, register.significand, got.st[index]?.significand);
		compare(`ST(${index}) sign and exponent`, register.signExponent, got.st[index]?.signExponent);
	}
	for (const [index, lanes] of want.xmm.entries()) {
		const half = index % 2 === 0 ? 'low' : 'high';
		const other = got.xmm[index] as bigint;
		const isClose = index >> 1 === mask.inexactXmm && areClose(lanes, other, mask.tolerance);
		if (!isClose) compare(`XMM${index >> 1} ${half}`, lanes, other);
		const [upper, otherUpper] = [want.ymmHigh[index] as bigint, got.ymmHigh[index] as bigint];
		const isUpperClose = index >> 1 === mask.inexactXmm && areClose(upper, otherUpper, mask.tolerance);
		if (!isUpperClose) compare(`YMM${index >> 1} upper ${half}`, upper, otherUpper);
	}
	return found;
}

interface Extended {
	readonly significand: bigint;
	readonly signExponent: number;
}

/** The same sign, and as many numbers of 80 bits between them at most. */
function isNear(a: Extended, b: Extended, tolerance: number): boolean {
	if (tolerance === Number.POSITIVE_INFINITY) return true;
	const rank = ({significand, signExponent}: Extended): bigint =>
		(BigInt(signExponent & 0x7fff) << 63n) | BigInt.asUintN(63, significand);
	const distance = rank(a) - rank(b);
	const isNumber = [a, b].every(({signExponent}) => (signExponent & 0x7fff) !== 0x7fff);
	return (
		isNumber &&
		a.signExponent >> 15 === b.signExponent >> 15 &&
		Number(distance < 0n ? -distance : distance) <= tolerance
	);
}

/** Below it, results of approximations may be zero. */
const smallest = 2 ** -125;

/** Pairs of singles that are the same, or near each other. */
function areClose(a: bigint, b: bigint, tolerance: number): boolean {
	return [0n, 32n].every((shift) => {
		const [one, other] = [single(a >> shift), single(b >> shift)];
		if (Object.is(one, other)) return BigInt.asUintN(32, a >> shift) === BigInt.asUintN(32, b >> shift);
		const distance = Math.abs(one - other);
		return distance <= Math.max(tolerance * Math.abs(one), smallest) && Math.sign(one) * Math.sign(other) >= 0;
	});
}

const single = (bits: bigint): number =>
	new Float32Array(new Uint32Array([Number(BigInt.asUintN(32, bits))]).buffer)[0] as number;
