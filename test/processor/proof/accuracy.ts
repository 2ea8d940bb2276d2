import type {ViewOf} from '#support/wire';
import {CaseRecord, codeAddress, noVector, ProcessorState, Random} from '#test/silicon';
import {UserModeProcessor} from '../user-mode-processor.ts';
import * as exact from './exact-functions.ts';
import {Findings, type ProofPart} from './part.ts';

/** A number of 80 bits as its sign, significand and the weight of its last bit. */
type Extended = exact.Real;

interface X87Function {
	readonly code: readonly number[];
	/** Operands in ST(0) and ST(1). */
	readonly operands: (random: Random) => readonly [Extended, Extended];
	/** Results from ST(0) on. */
	readonly results: (x: Extended, y: Extended) => readonly exact.Real[];
}

/** A normal number whose first bit has this weight. */
function number(random: Random, exponent: number, isNegative = random.oneIn(2)): Extended {
	const kept = BigInt(random.oneIn(3) ? random.below(63) : 0);
	const m = (((1n << 63n) | (random.u64() >> 1n)) >> kept) << kept;
	return {m: isNegative ? -m : m, e: exponent - 63};
}

/** Near one, from either side. */
function nearOne(random: Random): Extended {
	const distance = random.u64() >> BigInt(1 + random.below(63));
	return random.oneIn(2) ? {m: (1n << 63n) + distance, e: -63} : {m: 2n ** 64n - 1n - distance, e: -64};
}

const any = (random: Random, size: number): number => random.below(2 * size) - size;
const unit: Extended = {m: 1n << 63n, e: -63};
/** Angles up to 2^63, now and then one near a multiple of pi / 2. */
function anAngle(random: Random): Extended {
	if (!random.oneIn(4)) return number(random, random.below(163) - 100);
	const near = Math.round(random.below(2 ** 30)) * (Math.PI / 2) || 1;
	const exponent = Math.floor(Math.log2(near));
	return {m: BigInt(Math.floor(near * 2 ** (52 - exponent))) << 11n, e: exponent - 63};
}
const ofAngle = (random: Random): readonly [Extended, Extended] => [anAngle(random), unit];
const smallest = 0.29;

const functions: readonly X87Function[] = [
	{code: [0xd9, 0xfe], operands: ofAngle, results: (x) => [exact.sine(x)]},
	{code: [0xd9, 0xff], operands: ofAngle, results: (x) => [exact.cosine(x)]},
	{code: [0xd9, 0xf2], operands: ofAngle, results: (x) => [unit, exact.tangent(x)]},
	{code: [0xd9, 0xfb], operands: ofAngle, results: (x) => [exact.cosine(x), exact.sine(x)]},
	{
		code: [0xd9, 0xf0],
		operands: (random) => [number(random, -1 - random.below(random.pick([3, 80, 150]))), unit],
		results: (x) => [exact.powerLessOne(x)],
	},
	{
		code: [0xd9, 0xf1],
		operands: (random) => [
			random.oneIn(2) ? nearOne(random) : number(random, any(random, 16_000), false),
			number(random, any(random, 100)),
		],
		results: (x, y) => [exact.logarithm(x, y)],
	},
	{
		code: [0xd9, 0xf9],
		operands: (random) => {
			const x = number(random, -2 - random.below(random.pick([3, 80, 150])));
			const isIn = Math.abs(Number(x.m)) * 2 ** x.e < smallest;
			return [isIn ? x : {...x, e: x.e - 1}, number(random, any(random, 100))];
		},
		results: (x, y) => [exact.logarithmOfOnePlus(x, y)],
	},
	{
		code: [0xd9, 0xf3],
		operands: (random) => [number(random, any(random, 90)), number(random, any(random, 90))],
		results: (x, y) => [exact.angle(x, y)],
	},
];

/** Of the manual (SDM volume 2, RCPPS and RSQRTPS). */
const approximationError = 1.5 * 2 ** -12;
/** Of both functions; how far x times the result, or its square, is from one. */
const approximations = [
	{code: [0x53], error: (x: number, result: number) => Math.abs(x * result - 1), isSquare: false},
	{code: [0x52], error: (x: number, result: number) => Math.abs(Math.sqrt(x * result * result) - 1), isSquare: true},
] as const;

const bias = 0x3fff;
/** FCW with all exceptions masked, 64 bits of precision, and a rounding. */
const controls = [0x37f, 0x77f, 0xb7f, 0xf7f] as const;
/** TOP is 4: there are two registers in use, and room. */
const [status, tags] = [0x2000, 0x30];

class Approximations {
	readonly #processor = new UserModeProcessor();
	readonly #record = CaseRecord.on(new SharedArrayBuffer(CaseRecord.byteLength));
	readonly #after = ProcessorState.on(new SharedArrayBuffer(ProcessorState.byteLength));

	/** What is wrong with a function of the x87. */
	x87(random: Random): readonly string[] {
		const one = random.pick(functions);
		const control = random.pick(controls);
		const operands = one.operands(random);
		const {before} = this.#begin(one.code);
		Object.assign(before.xsave, {fcw: control, fsw: status, ftw: tags});
		for (const [index, {m, e}] of operands.entries()) {
			const register = before.xsave.st[index] as {significand: bigint; signExponent: number};
			register.significand = m < 0n ? -m : m;
			register.signExponent = (m < 0n ? 0x8000 : 0) | (e + 63 + bias);
		}
		const {xsave} = this.#run();
		return one.results(...operands).flatMap((wanted, index) => {
			const {significand = 0n, signExponent = 0} = xsave.st[index] ?? {};
			const found = {m: signExponent >> 15 === 1 ? -significand : significand, e: (signExponent & 0x7fff) - bias - 63};
			if (isRounded(found, wanted, control === controls[0])) return [];
			const text = operands.map(({m, e}) => `${m}*2^${e}`).join(' and ');
			return [`${Buffer.from(one.code).toString('hex')} of ${text}: ST(${index}) is ${found.m}*2^${found.e}`];
		});
	}

	/** What is wrong with an approximation of four singles, or of one. */
	single(random: Random): readonly string[] {
		const {code, error, isSquare} = random.pick(approximations);
		const isOne = random.oneIn(2);
		const {before} = this.#begin([...(isOne ? [0xf3] : []), 0x0f, ...code, 0xc1]);
		const operands = Float32Array.from({length: 4}, () => {
			const size = (1 + random.u32() / 2 ** 32) * 2 ** (random.below(250) - 125);
			return isSquare || random.oneIn(2) ? size : -size;
		});
		before.xsave.mxcsr = 0x1f80;
		const lanes = new BigUint64Array(operands.buffer);
		before.xsave.xmm[2] = lanes[0] as bigint;
		before.xsave.xmm[3] = lanes[1] as bigint;
		const {xsave} = this.#run();
		const results = new Float32Array(BigUint64Array.of(xsave.xmm[0] as bigint, xsave.xmm[1] as bigint).buffer);
		return Array.from(results.subarray(0, isOne ? 1 : 4)).flatMap((result, lane) => {
			const operand = operands[lane] as number;
			const isNear = error(operand, result) <= approximationError && Math.sign(result) === Math.sign(operand);
			return isNear ? [] : [`0f${code[0].toString(16)} of ${operand} is ${result}`];
		});
	}

	#begin(code: readonly number[]): ViewOf<typeof CaseRecord> {
		CaseRecord.reset(this.#record);
		this.#record.before.rip = BigInt(codeAddress);
		this.#record.code.set(code);
		return this.#record;
	}

	#run(): ViewOf<typeof ProcessorState> {
		this.#processor.run(this.#record, this.#after);
		if (this.#after.vector !== noVector) throw new Error(`exception ${this.#after.vector}`);
		return this.#after;
	}
}

/** A number is what is nearest to a value; or one of its two neighbours, where numbers are not rounded to the nearest. */
function isRounded(found: exact.Real, wanted: exact.Real, isNearest: boolean): boolean {
	if (wanted.m === 0n) return found.m === 0n;
	const shift = BigInt(found.e - wanted.e);
	if (shift < 100n || found.m === 0n) return shift === 0n && found.m === wanted.m;
	const distance = (found.m << shift) - wanted.m;
	const size = distance < 0n ? -distance : distance;
	// The value is known to more bits than these.
	const last = 1n << shift;
	return size * (isNearest ? 2n : 1n) <= last + (last >> 64n);
}

/** Approximations, which makers' processors may do each in its own way. The x87's are rounded once from a value of 256 bits: that is better than the manual wants. */
export const accuracy: ProofPart = {
	name: 'accuracy',
	title: 'functions of the x87 are rounded once, RCP and RSQRT are as near as the manual wants',
	oracle: 'manual',
	unit: 'cases',
	daily: 2000,
	whole: 500_000,
	share: 2000,
	threads: 1,
	obstacle: () => undefined,
	run({seed, first, count}) {
		const random = new Random(seed);
		const findings = new Findings();
		const approximated = new Approximations();
		for (let number = first; number < first + count; number++) {
			random.restart(seed, number);
			const unlike = random.oneIn(4) ? approximated.single(random) : approximated.x87(random);
			findings.add(unlike, () => `case ${number}`);
		}
		return findings.result();
	},
};
