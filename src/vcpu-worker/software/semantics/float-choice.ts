import {splat, type Vector} from '#support/wasm';
import type {FloatSuffix} from '#vcpu-worker/software/float';
import {
	and,
	checksOf,
	type Elements,
	elements,
	inAll,
	readElements,
	readPairs,
	writeElements,
} from './float-elements.ts';
import {settle} from './float-settle.ts';
import type {FloatOperands, Meaning, Operation} from './operation.ts';

const suffixes: readonly FloatSuffix[] = ['ps', 'pd', 'ss', 'sd'];

const arePlain = (op: Operation, pairs: readonly FloatOperands[], lane: Elements) => {
	const {isPlain} = checksOf(op, lane);
	return inAll(lane, pairs.flat().map(isPlain));
};

/** MIN and MAX, which are those of WebAssembly with operands exchanged. */
const choose =
	(name: 'min' | 'max', suffix: FloatSuffix): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const settled = settle(op, `${name}${suffix}`, readPairs(op, lane), (op, pairs) => ({
			results: pairs.map(([a, b]) => b.binary(`${lane.shape}.p${name}`, a)),
			isSure: arePlain(op, pairs, lane),
		}));
		writeElements(op, lane, settled);
	};

/** A predicate on numbers that are no NaNs, by the constant: EQ, LT, LE, UNORD, and with bit 2 their opposites. Its other bits are about NaNs. */
function holds(op: Operation, {shape}: Elements, a: Vector, b: Vector): Vector {
	const {f} = op;
	const predicate = op.immediate().toI32();
	const result = f.vectorLocal();
	f.switch(predicate.and(3), [
		() => f.setVector(result, a.binary(`${shape}.eq`, b)),
		() => f.setVector(result, a.binary(`${shape}.lt`, b)),
		() => f.setVector(result, a.binary(`${shape}.le`, b)),
		() => f.setVector(result, splat('i64x2', 0)),
	]);
	return result.binary('v128.xor', splat('i32x4', predicate.shrU(2).and(1).neg()));
}

const test =
	(suffix: FloatSuffix): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const settled = settle(op, `cmp${suffix}`, readPairs(op, lane), (op, pairs) => ({
			results: pairs.map(([a, b]) => op.f.letVector(holds(op, lane, a, b))),
			isSure: arePlain(op, pairs, lane),
		}));
		writeElements(op, lane, settled);
	};

const CF = 1;
const ZF = 0x40;
const status = 0x45;

/** The order of numbers as status flags. */
const order =
	(name: 'comi' | 'ucomi', suffix: 'ss' | 'sd'): Meaning =>
	(op) => {
		const lane = elements[suffix];
		const operands = [[readElements(op, 'a', lane), readElements(op, 'b', lane)]] as const;
		const [settled] = settle(op, `${name}${suffix}`, operands, (op, [[a, b]]) => {
			const less = and(a.binary(`${lane.shape}.lt`, b), splat('i64x2', CF));
			const equal = and(a.binary(`${lane.shape}.eq`, b), splat('i64x2', ZF));
			return {results: [less.binary('v128.or', equal)], isSure: arePlain(op, [[a, b]], lane)};
		});
		op.flags.setBits(op.f.let((settled as Vector).lane64(0).and(status)));
	};

const each = (name: string, meaning: (suffix: FloatSuffix) => Meaning): Record<string, Meaning> =>
	Object.fromEntries(suffixes.map((suffix) => [`${name}${suffix}`, meaning(suffix)]));

/** Comparisons in floating point. */
export const floatChoices: Readonly<Record<string, Meaning>> = {
	...each('min', (suffix) => choose('min', suffix)),
	...each('max', (suffix) => choose('max', suffix)),
	...each('cmp', test),
	comiss: order('comi', 'ss'),
	comisd: order('comi', 'sd'),
	ucomiss: order('ucomi', 'ss'),
	ucomisd: order('ucomi', 'sd'),
};
