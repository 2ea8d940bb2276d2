import {type Int, i32, splat, splatConverted, type Vector, type VectorLocal} from '#support/wasm';
import type {FloatSuffix} from '#vcpu-worker/software/float';
import {and, checksOf, elements, inAll, joined, lanes, readElements, writeElements} from './float-elements.ts';
import {settle} from './float-settle.ts';
import type {Half, Meaning, Operation} from './operation.ts';

const {ps, pd, ss, sd} = elements;

/** Bits of a 64-bit integer that a number has no room for, counted from the highest that is set. */
const bitsWithoutRoom = {ss: (1n << 40n) - 1n, sd: (1n << 11n) - 1n} as const;

const fromGeneral =
	(suffix: 'ss' | 'sd'): Meaning =>
	(op) => {
		const {f} = op;
		const lane = elements[suffix];
		const value = f.let(op.readSigned('b'));
		if (suffix === 'sd' && op.width === 32) {
			writeElements(op, lane, [splatConverted(lane.shape, value)]);
			return;
		}
		const settled = settle(op, `cvtsi2${suffix}`, [[splat('i64x2', value)]] as const, ({f}, [[source]]) => {
			const value = f.let(source.lane64(0));
			return {
				results: [splatConverted(lane.shape, value)],
				isSure: i32(1),
				isExact: () => {
					const magnitude = f.let(value.ltS(0).select(value.neg(), value));
					return magnitude.shl(magnitude.clz()).and(bitsWithoutRoom[suffix]).isZero();
				},
			};
		});
		writeElements(op, lane, settled);
	};

const toGeneral =
	(suffix: 'ss' | 'sd', isTruncated: boolean): Meaning =>
	(op) => {
		const {width} = op;
		const lane = elements[suffix];
		const {shape} = lane;
		const name = `cvt${isTruncated ? 't' : ''}${suffix}2si${width}`;
		const [settled] = settle(op, name, [[readElements(op, 'b', lane)]] as const, ({f}, [[value]]) => {
			const integer = f.let((isTruncated ? value : value.unary(`${shape}.nearest`)).truncated(shape));
			const isNumber = inAll(lane, [value.binary(`${shape}.eq`, value)]);
			// Both ends of 64 bits stand for all beyond them too.
			const hasRoom =
				width === 32 ? integer.eq(integer.toI32().toI64S()) : integer.xor(integer.shrS(63)).ne((1n << 63n) - 1n);
			return {
				results: [splat('i64x2', integer)],
				isSure: isNumber.and(hasRoom),
				isExact: () => inAll(lane, [splatConverted(shape, integer).binary(`${shape}.eq`, value)]),
				isOfAnyRounding: isTruncated,
			};
		});
		const result = (settled as Vector).lane64(0);
		op.write('a', width === 64 ? result : result.toI32());
	};

/** Operands of operations that have one. */
const alone = (values: readonly Vector[]) => values.map((value) => [value] as const);
/** To packed integers of 32 bits; of doubles they are half as wide, and above them is 0. */
const toIntegers =
	(suffix: 'ps' | 'pd', isTruncated: boolean): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const {shape} = lane;
		const operands = alone(op.halves.map((half) => readElements(op, 'b', lane, half)));
		const name = `cvt${isTruncated ? 't' : ''}${suffix}2dq`;
		const settled = settle(op, name, operands, ({f}, values) => {
			const all = values.map(([value]) => ({
				value,
				integral: f.letVector(value.unary(`${shape}.${isTruncated ? 'trunc' : 'nearest'}`)),
			}));
			const converted = all.map(({integral}) =>
				integral.unary(suffix === 'ps' ? 'i32x4.trunc_sat_f32x4_s' : 'i32x4.trunc_sat_f64x2_s_zero'),
			);
			return {
				results: suffix === 'ps' ? converted : joined(converted),
				isSure: inAll(
					lane,
					all.map(({integral}) => integral.unary(`${shape}.abs`).binary(`${shape}.lt`, lanes(shape, 2 ** 31))),
				),
				isExact: () =>
					inAll(
						lane,
						all.map(({integral, value}) => integral.binary(`${shape}.eq`, value)),
					),
				isOfAnyRounding: isTruncated,
			};
		});
		for (const [half, value] of settled.entries()) op.writeVector('a', value, half as Half);
	};

const upperHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15];

/** Singles to doubles: as many as the result has room for, or one. */
function widen(op: Operation, suffix: 'ps' | 'ss'): void {
	const isPacked = suffix === 'ps';
	const isWhole = op.halves.length > 1;
	const half = () => op.f.letVector(splat('i64x2', op.read('b', 64)));
	const value = isWhole || !isPacked ? readElements(op, 'b', isPacked ? ps : ss) : half();
	// The operand has half the room of the result.
	const operands = op.halves.map(() => [value] as const);
	const settled = settle(op, isPacked ? 'cvtps2pd' : 'cvtss2sd', operands, (op, values) => {
		const [given] = values[0] as readonly [Vector];
		const sources = isWhole ? [given, given.shuffle(given, upperHalf)] : [given];
		return {
			results: sources.map((source) => source.unary('f64x2.promote_low_f32x4')),
			isSure: inAll(ps, [checksOf(op, ps).isPlain(given)]),
		};
	});
	writeElements(op, isPacked ? pd : sd, settled);
}

/** Doubles to singles, above which is 0, or one. */
function narrow(op: Operation, suffix: 'pd' | 'sd'): void {
	const isPacked = suffix === 'pd';
	const operands = alone(op.halves.map((half) => readElements(op, 'b', elements[suffix], half)));
	const [settled] = settle(op, isPacked ? 'cvtpd2ps' : 'cvtsd2ss', operands, ({f}, values) => {
		const all = values.map(([value]) => {
			const narrowed = f.letVector(value.unary('f32x4.demote_f64x2_zero'));
			return {value, narrowed, again: f.letVector(narrowed.unary('f64x2.promote_low_f32x4'))};
		});
		const stands = ({value, again}: (typeof all)[number]): Vector => {
			const magnitude = f.letVector(again.unary('f64x2.abs'));
			const isNormal = magnitude
				.binary('f64x2.gt', lanes('f64x2', 2 ** -126))
				.binary('v128.and', magnitude.binary('f64x2.lt', pd.infinity));
			return isNormal.binary('v128.or', value.binary('f64x2.eq', pd.zero));
		};
		return {
			results: joined(all.map(({narrowed}) => narrowed)),
			isSure: inAll(pd, all.map(stands)),
			isExact: () =>
				inAll(
					pd,
					all.map(({value, again}) => again.binary('f64x2.eq', value)),
				),
		};
	});
	if (isPacked) op.writeVector('a', settled as Vector);
	else writeElements(op, ss, [settled as Vector]);
}

/** Packed integers to singles. */
const integersToSingles: Meaning = (op) => {
	const operands = alone(op.halves.map((half) => readElements(op, 'b', ps, half)));
	const settled = settle(op, 'cvtdq2ps', operands, ({f}, values) => {
		const all = values.map(([value]) => ({value, converted: f.letVector(value.unary('f32x4.convert_i32x4_s'))}));
		return {
			results: all.map(({converted}) => converted),
			isSure: i32(1),
			isExact: () =>
				inAll(
					ps,
					all.map(({value, converted}) => {
						// The largest integer is that of a number which has none.
						const isLargest = value.binary('i32x4.eq', splat('i32x4', 0x7fff_ffff));
						const again = converted.unary('i32x4.trunc_sat_f32x4_s').binary('i32x4.eq', value);
						return again.binary('v128.andnot', isLargest);
					}),
				),
		};
	});
	writeElements(op, ps, settled);
};

/** Told of what is not exact, the constant says that nobody is. */
const isSilent = (constant: Int<'i32'>): Int<'i32'> => constant.shrU(3).and(1);

/** Integers in the same format, as the constant or MXCSR says (SDM volume 2, ROUNDPD). */
const round =
	(suffix: FloatSuffix): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const {shape} = lane;
		const operands = alone(op.halves.map((half) => readElements(op, 'b', lane, half)));
		const settled = settle(op, `round${suffix}`, operands, (op, values) => {
			const {f} = op;
			const constant = op.immediate().toI32();
			const control = op.vectorControl().shrU(13);
			const all = values.map(([value]) => ({value, integral: f.vectorLocal()}));
			const turn = (way: 'nearest' | 'floor' | 'ceil' | 'trunc') => () => {
				for (const {value, integral} of all) f.setVector(integral, value.unary(`${shape}.${way}`));
			};
			f.switch(constant.and(4).select(control, constant).and(3), [
				turn('nearest'),
				turn('floor'),
				turn('ceil'),
				turn('trunc'),
			]);
			const {isPlain} = checksOf(op, lane);
			return {
				results: all.map(({integral}) => integral),
				isSure: inAll(
					lane,
					all.map(({value}) => isPlain(value)),
				),
				isExact: () =>
					inAll(
						lane,
						all.map(({value, integral}) => integral.binary(`${shape}.eq`, value)),
					).or(isSilent(constant)),
				isOfAnyRounding: true,
			};
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
		/** Denormals are zeros of their sign. */
		const flushed = (number: Vector) => {
			const isTiny = number.unary('f32x4.abs').binary('f32x4.lt', least);
			return f.letVector(and(number, sign).select(f.letVector(isTiny), number));
		};
		const approximated = (value: VectorLocal) => {
			const operand = flushed(value);
			const divisor = name === 'rcp' ? operand : operand.unary('f32x4.sqrt');
			const result = flushed(f.letVector(lanes('f32x4', 1).binary('f32x4.div', divisor)));
			const isNan = f.letVector(value.binary('f32x4.ne', value));
			const quiet = value.binary('v128.or', splat('i32x4', 0x40_0000));
			const number =
				name === 'rcp'
					? result
					: splat('i32x4', 0xffc0_0000 | 0).select(f.letVector(operand.binary('f32x4.lt', zero)), result);
			return f.letVector(quiet.select(isNan, number));
		};
		writeElements(
			op,
			lane,
			op.halves.map((half) => approximated(readElements(op, 'b', lane, half))),
		);
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
