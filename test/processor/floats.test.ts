import test from 'ava';
import {Random} from '#test/silicon';
import {exitCode, microKernel} from '#test/tmk';
import {FloatUnit, floatOperation} from '#vcpu-worker/software/float';
import {CpuState} from '#vcpu-worker/software/state';
import {startKernel} from './guest-processor.ts';

/** CR4: PAE, OSFXSR, OSXMMEXCPT. */
const cr4 = 0x620n;
/** All exceptions masked; flags of exceptions are below. */
const masked = 0x1f80;
const [IE, DE, ZE, OE, UE, PE] = [1, 2, 4, 8, 0x10, 0x20] as const;
const DAZ = 0x40;
const [down, up, towardZero] = [0x2000, 0x4000, 0x6000] as const;
const FTZ = 0x8000;

/** Computes exactly, and gives the result's low 64 bits and MXCSR. */
function exactly(name: string, a: bigint, b: bigint, mxcsr: number, constant = 0): readonly [bigint, number] {
	const memory = new SharedArrayBuffer(CpuState.size);
	const state = CpuState.on(memory);
	Object.assign(state, {cr4, mxcsr});
	state.floatOperands.set([a, 0n, b, 0n]);
	new FloatUnit(memory).compute(floatOperation(name), constant);
	return [state.floatResult[0] as bigint, state.mxcsr];
}

const one = 0x3ff0n << 48n;
const least = 1n << 52n;
const largest = 0x7fef_ffff_ffff_ffffn;
const infinity = 0x7ff0n << 48n;
const negative = 1n << 63n;
const indefinite = 0xfff8n << 48n;
const signaling = infinity | 5n;
const quiet = 0x7ff8n << 48n;

for (const [title, name, a, b, control, result, flags] of [
	['a tie goes to the even number', 'addsd', one, 0x3ca0n << 48n, 0, one, PE],
	['a tie goes up when rounding so', 'addsd', one, 0x3ca0n << 48n, up, one + 1n, PE],
	['a positive sum is cut when rounding down', 'addsd', one, 0x3ca0n << 48n, down, one, PE],
	['a difference of equals is a negative zero when rounding down', 'subsd', one, one, down, negative, 0],
	['a sum too large is infinite', 'addsd', largest, largest, 0, infinity, OE | PE],
	['a sum too large is the largest number toward zero', 'addsd', largest, largest, towardZero, largest, OE | PE],
	['an exact denormal is no underflow', 'mulsd', least, 0x3fe0n << 48n, 0, least / 2n, 0],
	['an inexact denormal is one', 'mulsd', least + 1n, 0x3fe0n << 48n, 0, least / 2n, UE | PE],
	['a tiny product rounds to the least normal number', 'mulsd', least, one - 1n, up, least, UE | PE],
	['a tiny product is flushed', 'mulsd', least | negative, 0x3fe0n << 48n, FTZ, negative, UE | PE],
	['a denormal is told of', 'addsd', 1n, 0n, 0, 1n, DE],
	['a denormal is zero', 'addsd', 1n, 0n, DAZ, 0n, 0],
	['opposite infinities have no sum', 'addsd', infinity, infinity | negative, 0, indefinite, IE],
	['the first NaN is the result, quiet', 'addsd', signaling, quiet, 0, signaling | quiet, IE],
	['a quiet NaN is no exception', 'mulsd', one, quiet, 0, quiet, 0],
	['a number by zero is infinite', 'divsd', one, negative, 0, infinity | negative, ZE],
	['zero by zero is nothing', 'divsd', 0n, 0n, 0, indefinite, IE],
	['the root of a negative zero is one', 'sqrtsd', 0n, negative, 0, negative, 0],
	['the root of a negative number is nothing', 'sqrtsd', 0n, one | negative, 0, indefinite, IE],
	['a minimum with a NaN is the second operand', 'minsd', quiet, one, 0, one, IE],
	['a number beyond an integer has none', 'cvtsd2si32', 0n, 0x41e0n << 48n, 0, 0x8000_0000n, IE],
	['a half goes to the even integer', 'cvtsd2si32', 0n, 0x4004n << 48n, 0, 2n, PE],
	['a half is cut', 'cvttsd2si32', 0n, 0xc004n << 48n, up, 0xffff_fffen, PE],
	[
		'a NaN keeps the first bits of its fraction as a single',
		'cvtsd2ss',
		0n,
		signaling | (1n << 40n),
		0,
		0x7fc0_0800n,
		IE,
	],
	['a NaN is not ordered, and an exception where it is compared in order', 'comisd', one, quiet, 0, 0x45n, IE],
	['a quiet NaN is no exception where it is compared without', 'ucomisd', one, quiet, 0, 0x45n, 0],
] as const)
	test(title, (t) => {
		t.deepEqual(exactly(name, a, b, masked | control), [result, masked | control | flags]);
	});

/** Instructions on XMM0 and XMM1, and whether numbers are singles. */
const instructions = [
	['addpd', [0x66, 0x0f, 0x58, 0xc1], false],
	['addps', [0x0f, 0x58, 0xc1], true],
	['subpd', [0x66, 0x0f, 0x5c, 0xc1], false],
	['mulpd', [0x66, 0x0f, 0x59, 0xc1], false],
	['mulps', [0x0f, 0x59, 0xc1], true],
	['divpd', [0x66, 0x0f, 0x5e, 0xc1], false],
	['divps', [0x0f, 0x5e, 0xc1], true],
	['sqrtpd', [0x66, 0x0f, 0x51, 0xc1], false],
	['sqrtps', [0x0f, 0x51, 0xc1], true],
	['cvtpd2ps', [0x66, 0x0f, 0x5a, 0xc1], false],
	['cvtps2dq', [0x66, 0x0f, 0x5b, 0xc1], true],
	['cvtdq2ps', [0x0f, 0x5b, 0xc1], true],
] as const;

/** Two numbers, or four, with few bits or many, so that results are exact as often as not, and some are at the ends of their range. */
function numbers(random: Random, isSingle: boolean): [bigint, bigint] {
	const [bits, fraction, bias] = isSingle ? ([32, 23, 127] as const) : ([64, 52, 1023] as const);
	const number = (): bigint => {
		const end = random.pick([0, 1, 2, bias >> 1, 2 * bias - 1, 2 * bias]);
		const exponent = random.oneIn(16) ? end : bias + random.below(fraction) - (fraction >> 1);
		const kept = BigInt(random.below(fraction + 1));
		const significand = (BigInt.asUintN(fraction, random.u64()) >> kept) << kept;
		const isZero = random.oneIn(8);
		return (
			(BigInt(random.below(2)) << BigInt(bits - 1)) |
			(isZero ? 0n : (BigInt(exponent) << BigInt(fraction)) | significand)
		);
	};
	const half = () => (isSingle ? number() | (number() << 32n) : number());
	return [half(), half()];
}

/** A processor that executes one of the instructions on vectors, and what exact arithmetic says of the same. */
function makeComparison() {
	const {processor} = startKernel(microKernel('none', (_asm, {exit}) => exit(exitCode.ok)));
	const {core} = processor;
	const {state} = core;
	state.cr4 = cr4;
	processor.changed();
	const records = new Map(
		instructions.map(([name, bytes]) => [name, core.write(core.decode(Uint8Array.from(bytes), 0, {limit: 1}))]),
	);
	const memory = new SharedArrayBuffer(CpuState.size);
	const other = CpuState.on(memory);
	const unit = new FloatUnit(memory);
	const run = (
		name: (typeof instructions)[number][0],
		a: readonly [bigint, bigint],
		b: readonly [bigint, bigint],
		mxcsr: number,
	) => {
		state.vector256.set(a, 0);
		state.vector256.set(b, 4);
		state.mxcsr = other.mxcsr = mxcsr;
		state.budget = 10;
		core.run(records.get(name) ?? 0);
		other.floatOperands.set([...a, ...b]);
		unit.compute(floatOperation(name), 0);
		return {
			found: [state.mxcsr, ...state.vector256.subarray(0, 2)],
			wanted: [other.mxcsr, ...other.floatResult],
		};
	};
	return {run, state};
}

test('where the result is that of WebAssembly, it and its flags are those of exact arithmetic', (t) => {
	const count = 30_000;
	const {run, state} = makeComparison();
	const random = new Random(1);
	for (let number = 0; number < count; number++) {
		const [name, , isSingle] = random.pick(instructions);
		const [a, b] = [numbers(random, isSingle), numbers(random, isSingle)];
		const {found, wanted} = run(name, a, b, masked | random.pick([0, 0, PE, FTZ | DAZ]));
		if (found.some((value, index) => value !== wanted[index]))
			t.deepEqual(found, wanted, `case ${number}: ${name} ${a} ${b}`);
	}
	const computed = count - state.exactFloats;
	t.true(computed > count / 4, `${computed} of ${count} results are WebAssembly's`);
});

test('a product that only rounding makes normal is an underflow', (t) => {
	const {run} = makeComparison();
	const {found} = run('mulpd', [least, least], [one - 1n, one - 1n], masked | PE);
	t.deepEqual(found, [masked | PE | UE, least, least]);
});

test('exact results are those of WebAssembly while no flag says that one was not', (t) => {
	const {run, state} = makeComparison();
	const [two, three] = [0x4000n << 48n, 0x4008n << 48n];
	for (const [name, result] of [
		['addpd', 0x4014n << 48n],
		['subpd', 0xbff0n << 48n],
		['mulpd', 0x4018n << 48n],
	] as const)
		t.deepEqual(run(name, [two, two], [three, three], masked).found, [masked, result, result]);
	t.deepEqual(run('divpd', [three, three], [two, two], masked).found, [masked, 0x3ff8n << 48n, 0x3ff8n << 48n]);
	t.deepEqual(run('sqrtpd', [two, two], [0n, 0x4010n << 48n], masked).found, [masked, 0n, two]);
	t.is(state.exactFloats, 0);
});
