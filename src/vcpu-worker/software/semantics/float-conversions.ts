import {type Int, i32, splat, splatConverted, type Vector} from '#support/wasm';
import type {FloatSuffix} from '#vcpu-worker/software/float';
import {and, elements, isPlain, lanes, readElements, writeElements} from './float-elements.ts';
import {settle} from './float-settle.ts';
import type {Meaning, Operation} from './operation.ts';

const {ps, pd, ss, sd} = elements;

/** Bits of a 64-bit integer that a number has no room for, counted from the highest that is set. */
const bitsWithoutRoom = {ss: (1n << 40n) - 1n, sd: (1n << 11n) - 1n} as const;

const fromGeneral =
	(suffix: 'ss' | 'sd'): Meaning =>
	(op) => {
		const {f} = op;
		const lane = elements[suffix];
		const value = f.let(op.readSigned('b'));
		const converted = splatConverted(lane.shape, value);
		if (suffix === 'sd' && op.width === 32) {
			writeElements(op, lane, converted);
			return;
		}
		const source = splat('i64x2', value);
		const settled = settle(op, `cvtsi2${suffix}`, [source, source], converted, {
			isSure: i32(1),
			isExact: () => {
				const magnitude = f.let(value.ltS(0).select(value.neg(), value));
				return magnitude.shl(magnitude.clz()).and(bitsWithoutRoom[suffix]).isZero();
			},
		});
		writeElements(op, lane, settled);
	};

const toGeneral =
	(suffix: 'ss' | 'sd', isTruncated: boolean): Meaning =>
	(op) => {
		const {f, width} = op;
		const lane = elements[suffix];
		const {shape, integers} = lane;
		const value = readElements(op, 'b', lane);
		const integer = f.let((isTruncated ? value : value.unary(`${shape}.nearest`)).truncated(shape));
		const isNumber = value.binary(`${shape}.eq`, value).reduce(`${integers}.all_true`);
		// Both ends of 64 bits stand for all beyond them too.
		const hasRoom =
			width === 32 ? integer.eq(integer.toI32().toI64S()) : integer.xor(integer.shrS(63)).ne((1n << 63n) - 1n);
		const name = `cvt${isTruncated ? 't' : ''}${suffix}2si${width}`;
		const settled = settle(op, name, [value, value], splat('i64x2', integer), {
			isSure: isNumber.and(hasRoom),
			isExact: () => splatConverted(shape, integer).binary(`${shape}.eq`, value).reduce(`${integers}.all_true`),
			isOfAnyRounding: isTruncated,
		});
		op.write('a', width === 64 ? settled.lane64(0) : settled.lane64(0).toI32());
	};

/** To packed integers of 32 bits; of two the upper ones are 0. */
const toIntegers =
	(suffix: 'ps' | 'pd', isTruncated: boolean): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const {shape, integers} = lane;
		const value = readElements(op, 'b', lane);
		const integral = op.f.letVector(value.unary(`${shape}.${isTruncated ? 'trunc' : 'nearest'}`));
		const isWithin = integral.unary(`${shape}.abs`).binary(`${shape}.lt`, lanes(shape, 2 ** 31));
		const converted = integral.unary(suffix === 'ps' ? 'i32x4.trunc_sat_f32x4_s' : 'i32x4.trunc_sat_f64x2_s_zero');
		const name = `cvt${isTruncated ? 't' : ''}${suffix}2dq`;
		const settled = settle(op, name, [value, value], converted, {
			isSure: isWithin.reduce(`${integers}.all_true`),
			isExact: () => integral.binary(`${shape}.eq`, value).reduce(`${integers}.all_true`),
			isOfAnyRounding: isTruncated,
		});
		op.writeVector('a', settled);
	};

/** Singles to doubles: two, or one. */
function widen(op: Operation, suffix: 'ps' | 'ss'): void {
	const isPacked = suffix === 'ps';
	const value = isPacked ? op.f.letVector(splat('i64x2', op.read('b', 64))) : readElements(op, 'b', ss);
	const settled = settle(
		op,
		isPacked ? 'cvtps2pd' : 'cvtss2sd',
		[value, value],
		value.unary('f64x2.promote_low_f32x4'),
		{isSure: isPlain(value, ps).reduce('i32x4.all_true')},
	);
	writeElements(op, isPacked ? pd : sd, settled);
}

/** Doubles to singles: two, with the upper ones 0, or one. */
function narrow(op: Operation, suffix: 'pd' | 'sd'): void {
	const {f} = op;
	const isPacked = suffix === 'pd';
	const value = readElements(op, 'b', elements[suffix]);
	const narrowed = f.letVector(value.unary('f32x4.demote_f64x2_zero'));
	const again = f.letVector(narrowed.unary('f64x2.promote_low_f32x4'));
	const magnitude = f.letVector(again.unary('f64x2.abs'));
	const isNormal = magnitude
		.binary('f64x2.gt', lanes('f64x2', 2 ** -126))
		.binary('v128.and', magnitude.binary('f64x2.lt', pd.infinity));
	const stands = isNormal.binary('v128.or', value.binary('f64x2.eq', pd.zero));
	const settled = settle(op, isPacked ? 'cvtpd2ps' : 'cvtsd2ss', [value, value], narrowed, {
		isSure: stands.reduce('i64x2.all_true'),
		isExact: () => again.binary('f64x2.eq', value).reduce('i64x2.all_true'),
	});
	writeElements(op, isPacked ? ps : ss, settled);
}

/** Packed integers to singles. */
const integersToSingles: Meaning = (op) => {
	const value = op.f.letVector(op.readVector('b'));
	const converted = op.f.letVector(value.unary('f32x4.convert_i32x4_s'));
	const settled = settle(op, 'cvtdq2ps', [value, value], converted, {
		isSure: i32(1),
		isExact: () => {
			// The largest integer is that of a number which has none.
			const isLargest = value.binary('i32x4.eq', splat('i32x4', 0x7fff_ffff));
			const again = converted.unary('i32x4.trunc_sat_f32x4_s').binary('i32x4.eq', value);
			return again.binary('v128.andnot', isLargest).reduce('i32x4.all_true');
		},
	});
	op.writeVector('a', settled);
};

/** Told of what is not exact, the constant says that nobody is. */
const isSilent = (constant: Int<'i32'>): Int<'i32'> => constant.shrU(3).and(1);

/** Integers in the same format, as the constant or MXCSR says (SDM volume 2, ROUNDPD). */
const round =
	(suffix: FloatSuffix): Meaning =>
	(op) => {
		const {f} = op;
		const lane = elements[suffix];
		const {shape, integers} = lane;
		const value = readElements(op, 'b', lane);
		const constant = f.let(op.immediate().toI32());
		const control = op.vectorControl().shrU(13);
		const integral = f.vectorLocal();
		const ways = ['nearest', 'floor', 'ceil', 'trunc'] as const;
		f.switch(
			constant.and(4).select(control, constant).and(3),
			ways.map((way) => () => f.setVector(integral, value.unary(`${shape}.${way}`))),
		);
		const isSame: Vector = integral.binary(`${shape}.eq`, value);
		const settled = settle(op, `round${suffix}`, [value, value], integral, {
			isSure: isPlain(value, lane).reduce(`${integers}.all_true`),
			isExact: () => isSame.reduce(`${integers}.all_true`).or(isSilent(constant)),
			isOfAnyRounding: true,
		});
		writeElements(op, lane, settled);
	};

/** Within the error that the manual allows: of the root's reciprocal, or of the number's; neither looks at MXCSR (SDM volume 2, RCPPS, RSQRTPS). */
const approximate =
	(name: 'rcp' | 'rsqrt', suffix: 'ps' | 'ss'): Meaning =>
	(op) => {
		const {f} = op;
		const lane = elements[suffix];
		const {least, sign, zero} = lane;
		const value = readElements(op, 'b', lane);
		/** Denormals are zeros of their sign. */
		const flushed = (number: Vector) => {
			const isTiny = number.unary('f32x4.abs').binary('f32x4.lt', least);
			return f.letVector(and(number, sign).select(f.letVector(isTiny), number));
		};
		const operand = flushed(value);
		const divisor = name === 'rcp' ? operand : operand.unary('f32x4.sqrt');
		const result = flushed(f.letVector(lanes('f32x4', 1).binary('f32x4.div', divisor)));
		const isNan = f.letVector(value.binary('f32x4.ne', value));
		const quiet = value.binary('v128.or', splat('i32x4', 0x40_0000));
		const number =
			name === 'rcp'
				? result
				: splat('i32x4', 0xffc0_0000 | 0).select(f.letVector(operand.binary('f32x4.lt', zero)), result);
		writeElements(op, lane, f.letVector(quiet.select(isNan, number)));
	};

/** Conversions of floating point, and approximations. */
export const floatConversions: Readonly<Record<string, Meaning>> = {
	cvtsi2ss: fromGeneral('ss'),
	cvtsi2sd: fromGeneral('sd'),
	cvtss2si: toGeneral('ss', false),
	cvtsd2si: toGeneral('sd', false),
	cvttss2si: toGeneral('ss', true),
	cvttsd2si: toGeneral('sd', true),
	cvtps2pd: (op) => widen(op, 'ps'),
	cvtss2sd: (op) => widen(op, 'ss'),
	cvtpd2ps: (op) => narrow(op, 'pd'),
	cvtsd2ss: (op) => narrow(op, 'sd'),
	cvtdq2ps: integersToSingles,
	cvtdq2pd: (op) => op.writeVector('a', op.readVector('b').unary('f64x2.convert_low_i32x4_s')),
	cvtps2dq: toIntegers('ps', false),
	cvttps2dq: toIntegers('ps', true),
	cvtpd2dq: toIntegers('pd', false),
	cvttpd2dq: toIntegers('pd', true),
	roundps: round('ps'),
	roundpd: round('pd'),
	roundss: round('ss'),
	roundsd: round('sd'),
	rcpps: approximate('rcp', 'ps'),
	rcpss: approximate('rcp', 'ss'),
	rsqrtps: approximate('rsqrt', 'ps'),
	rsqrtss: approximate('rsqrt', 'ss'),
};
