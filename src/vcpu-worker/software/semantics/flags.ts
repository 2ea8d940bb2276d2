import {constant, type FunctionBuilder, type Int, i32, i64, type Width} from '#support/wasm';

/** The words that status flags are kept in; `CpuState` says how. */
export type FlagWord = 'result' | 'zero' | 'carry';

/** Reads and writes these words, wherever they are kept. */
export interface FlagWords {
	get(word: FlagWord): Int<'i64'>;
	/**
	 * @param value - of what does not change before the word is set anew, and of no local of a scope that ends before: it may be computed when it is
	 * wanted
	 */
	set(word: FlagWord, value: Int<'i64'>): void;
	/** The difference that all words are of, where that is known; it ends with the next word that is set. */
	difference: Difference | undefined;
}

/** A subtraction that has set the flags. */
export interface Difference {
	readonly a: Int;
	readonly b: Int;
	readonly width: Width;
}

/** Computes the words of a subtraction of operands of any width. */
export function differenceWords(
	f: FunctionBuilder,
	a: Int<'i64'>,
	b: Int<'i64'>,
	width: Int<'i32'>,
): {readonly result: Int<'i64'>; readonly carry: Int<'i64'>} {
	// Up to the top, whatever their width.
	const shift = f.let(i32(64).sub(width).toI64U());
	const [high, other] = [f.let(a.shl(shift)), f.let(b.shl(shift))];
	const difference = f.let(high.sub(other));
	const carries = f.let(high.not().and(other).or(high.xor(other).not().and(difference)));
	return {result: f.let(difference.shrS(shift)), carry: carries.or(carries.shrU(shift))};
}

/** Status flags of the processor (SDM volume 1, 3.4.3.1). */
export class Flags {
	readonly #words: FlagWords;

	constructor(words: FlagWords) {
		this.#words = words;
	}

	/** SF, ZF and PF by a result. */
	setResult(result: Int, width: Width): void {
		const extended = signExtended(result, width);
		this.#words.set('result', extended);
		this.#words.set('zero', extended);
	}

	/** All flags by `result`, which is `a` less `b`. */
	setDifference(a: Int, b: Int, result: Int, width: Width): void {
		this.setResult(result, width);
		this.setCarries(a.not().and(b).or(a.xor(b).not().and(result)), width);
		this.#words.difference = {a, b, width};
	}

	/** All flags by a result without carries: as by its difference to 0. */
	setLogic(result: Int, width: Width): void {
		this.setResult(result, width);
		this.clearCarries();
		this.#words.difference = {a: result, b: constant(result.type, 0), width};
	}

	/** CF, OF and AF by the carries out of each bit. */
	setCarries(carries: Int, width: Width): void {
		this.#words.set('carry', carryWord(carries, width));
	}

	/** CF and OF, each 0 or 1; AF is cleared. */
	setCarryAndOverflow(carry: Int<'i32'>, overflow: Int<'i32'>): void {
		const below = carry.xor(overflow);
		this.#words.set('carry', carry.toI64U().shl(63).or(below.toI64U().shl(62)));
	}

	/** CF and OF, each 0 or 1. AF stays. */
	changeCarryAndOverflow(carry: Int<'i32'>, overflow: Int<'i32'>): void {
		const old = this.#words.get('carry').and((1n << 62n) - 1n);
		const below = carry.xor(overflow);
		this.#words.set('carry', carry.toI64U().shl(63).or(below.toI64U().shl(62)).or(old));
	}

	/** CF, 0 or 1, while OF stays. */
	changeCarry(carry: Int<'i32'>): void {
		const old = this.#words.get('carry');
		const changes = old.shrU(63).xor(carry.toI64U());
		this.#words.set('carry', old.xor(changes.shl(63)).xor(changes.shl(62)));
	}

	/** OF, 0 or 1, while CF stays. */
	changeOverflow(overflow: Int<'i32'>): void {
		const old = this.#words.get('carry');
		const changes = old.xor(old.shl(1)).shrU(63).xor(overflow.toI64U());
		this.#words.set('carry', old.xor(changes.shl(62)));
	}

	/** OF and AF by the carries, while CF stays. */
	setCarriesButCarryFlag(carries: Int, width: Width): void {
		const word = carryWord(carries, width);
		const changes = word.xor(this.#words.get('carry')).and(1n << 63n);
		this.#words.set('carry', word.xor(changes).xor(changes.shrU(1)));
	}

	/** Carries as one word, for {@link restoreCarries}. */
	carries(): Int<'i64'> {
		return this.#words.get('carry');
	}

	restoreCarries(carries: Int<'i64'>): void {
		this.#words.set('carry', carries);
	}

	/** No carry anywhere. */
	clearCarries(): void {
		this.#words.set('carry', i64(0));
	}

	/** ZF alone, 0 or 1. */
	changeZero(zero: Int<'i32'>): void {
		this.#words.set('zero', zero.xor(1).toI64U());
	}

	/** The status flags among these bits of RFLAGS. */
	setBits(bits: Int<'i64'>): void {
		const bit = (at: number) => bits.shrU(at).and(1);
		this.#words.set('result', bit(7).shl(63).or(bit(2).xor(1)));
		this.#words.set('zero', bit(6).xor(1));
		const carry = bit(0);
		this.#words.set(
			'carry',
			carry
				.shl(63)
				.or(carry.xor(bit(11)).shl(62))
				.or(bit(4).shl(3)),
		);
	}

	/** The status flags as bits of RFLAGS. */
	bits(): Int<'i64'> {
		const at = (flag: Int<'i32'>, bit: number) => flag.toI64U().shl(bit);
		return at(this.carry(), 0)
			.or(at(this.parity(), 2))
			.or(at(this.adjust(), 4))
			.or(at(this.zero(), 6))
			.or(at(this.sign(), 7))
			.or(at(this.overflow(), 11));
	}

	/** Each flag is 0 or 1. */
	carry(): Int<'i32'> {
		return this.#words.get('carry').shrU(63).toI32();
	}

	parity(): Int<'i32'> {
		return this.#words.get('result').toI32().and(0xff).popcnt().and(1).xor(1);
	}

	adjust(): Int<'i32'> {
		return this.#words.get('carry').toI32().shrU(3).and(1);
	}

	zero(): Int<'i32'> {
		return this.#words.get('zero').isZero();
	}

	sign(): Int<'i32'> {
		return this.#words.get('result').ltS(0);
	}

	overflow(): Int<'i32'> {
		const carry = this.#words.get('carry');
		return carry.xor(carry.shl(1)).ltS(0);
	}

	/** A condition by its number in Jcc, SETcc and CMOVcc (SDM volume 1, appendix B): 0 or 1. */
	condition(number: number): Int<'i32'> {
		const compared = this.#compared(number >> 1);
		if (compared !== undefined) return number % 2 === 0 ? compared : compared.isZero();
		const less = () => this.sign().xor(this.overflow());
		const holds = [
			() => this.overflow(),
			() => this.carry(),
			() => this.zero(),
			() => this.carry().or(this.zero()),
			() => this.sign(),
			() => this.parity(),
			less,
			() => less().or(this.zero()),
		][number >> 1] as () => Int<'i32'>;
		return number % 2 === 0 ? holds() : holds().isZero();
	}

	/** A pair of conditions by the difference, where that tells more simply. */
	#compared(pair: number): Int<'i32'> | undefined {
		const {difference} = this.#words;
		if (difference === undefined) return undefined;
		const {a, b, width} = difference;
		const [less, other] = [signedIn(a, width), signedIn(b, width)];
		switch (pair) {
			case 1:
				return a.ltU(b);
			case 2:
				return a.eq(b);
			case 3:
				return a.leU(b);
			case 6:
				return less.ltS(other);
			case 7:
				return less.leS(other);
			default:
				return undefined;
		}
	}
}

/** A value's low bits with their sign, in their type. */
const signedIn = (value: Int, width: Width): Int => (width >= 32 ? value : signExtended(value, width).toI32());

/** A value's low bits with their sign, in 64 bits. */
export function signExtended(value: Int, width: Width): Int<'i64'> {
	if (width === 64) return value as Int<'i64'>;
	const narrow = value.toI32();
	if (width === 32) return narrow.toI64S();
	return (width === 16 ? narrow.extend16S() : narrow.extend8S()).toI64S();
}

/** A value's low bits alone, in its type. */
export function zeroExtended(value: Int, width: Width): Int {
	return width >= 32 ? value : value.and(width === 16 ? 0xffff : 0xff);
}

/** The carries of a narrow result at both ends of the word: AF is low, CF and OF are high. */
function carryWord(carries: Int, width: Width): Int<'i64'> {
	if (width === 64) return carries as Int<'i64'>;
	const low = zeroExtended(carries, width).toI64U();
	// Times a constant, so that the carries are computed once.
	return low.mul((1n << BigInt(64 - width)) + 1n);
}
