import type {Guest} from '#support/trust';
import {wireError} from './errors.ts';
import {Field, type Reader, type ViewProperty, type Writer} from './field.ts';
import {checkAligned, type Scalar} from './scalar.ts';
import type {Natural} from './scalar-types.ts';

/** Named values of a range of bits. Open: hardware, guests and newer specifications have others. */
export type Names = Readonly<Record<string, number>>;
/** One part of a register. */
export interface Part<N extends Names | true | undefined = Names | true | undefined> {
	readonly high: number;
	readonly low: number;
	/** `true` for a flag; the names of a choice. */
	readonly names: N;
}

/** One bit: true or false. */
export const flag = (bit: number): Part<true> => ({high: bit, low: bit, names: true});
/** Bits `high` to `low`, both included, as specifications print them: an unsigned number. */
export const range = (high: number, low: number): Part<undefined> => ({high, low, names: undefined});
/** Bits whose values have names; a value without one is a number. */
export const choice = <const N extends Names>(high: number, low: number, names: N): Part<N> => ({high, low, names});

export type Parts = Readonly<Record<string, Part>>;
type Register = 'u8' | 'u16' | 'u32' | 'u64';

type PartForm<P, Num> =
	P extends Part<true>
		? boolean
		: P extends Part<undefined>
			? Num
			: P extends Part<infer N>
				? (keyof N & string) | Num
				: never;
type PlainParts<P extends Parts> = {readonly [K in keyof P]: PartForm<P[K], number>};
/** The parts of a register by name. `$other` are the bits that have no name, if one of them is set. */
export type PlainBits<P extends Parts> = PlainParts<P> & {readonly $other?: number | bigint};
/** Accessors to the parts, and the whole as `$value`. */
export type BitsView<P extends Parts, K extends Register> = {-readonly [N in keyof P]: PartForm<P[N], number>} & {
	$value: Natural<K>;
};

/**
 * A register whose bits have names: a field of a struct, and by {@link decode} and {@link encode} of use for a number that lies
 * nowhere.
 */
export class Bits<P extends Parts = Parts, K extends Register = Register> extends Field<{
	plain: PlainBits<P>;
	input: number | bigint | Partial<PlainBits<P>>;
	view: BitsView<P, K>;
	assignable: false;
	guest: {readonly [N in keyof P]: PartForm<P[N], Guest<number>>};
}> {
	readonly kind = 'bits';
	readonly register: Scalar<K>;
	readonly parts: P;
	readonly size: number;
	readonly alignment: number;
	readonly viewPrototype: object;

	constructor(register: Scalar<K>, parts: P) {
		super();
		checkParts(register, parts);
		this.register = register;
		this.parts = parts;
		this.size = register.size;
		this.alignment = register.alignment;
		this.viewPrototype = prototypeOf(register, parts);
	}

	/** The parts of a register's value. */
	decode(value: number | bigint): PlainBits<P> {
		let other = BigInt(value);
		const parts: Record<string, unknown> = {};
		for (const [name, part] of Object.entries(this.parts)) {
			const mask = BigInt(mostOf(part)) << BigInt(part.low);
			parts[name] = decodePart(part, Number((BigInt(value) & mask) >> BigInt(part.low)));
			other &= ~mask;
		}
		if (other !== 0n) parts['$other'] = typeof value === 'bigint' ? other : Number(other);
		return parts as PlainBits<P>;
	}

	/** A register's value; parts that are not given are zero. Of a register of 64 bits what is below 2^53. */
	encode(parts: Partial<PlainBits<P>>): number {
		return Number(encodeParts(this.parts, parts, 'a register'));
	}

	reader(offset: number): Reader<PlainBits<P>> {
		const read = this.register.reader(offset) as Reader<number | bigint>;
		return (source, base) => this.decode(read(source, base));
	}

	writer(offset: number, path: string): Writer<number | bigint | Partial<PlainBits<P>>> {
		const write = this.register.writer(offset, path);
		return (target, base, value) =>
			write(target, base, typeof value === 'object' ? encodeParts(this.parts, value, path) : value);
	}

	viewProperty(offset: number, isAligned: boolean): ViewProperty {
		checkAligned(this.register, offset, isAligned);
		const wordsOn = words[this.register.type];
		return {
			make: (buffer, byteOffset) => {
				const view = Object.create(this.viewPrototype) as {$words: unknown};
				view.$words = wordsOn(buffer, byteOffset + offset);
				return view;
			},
		};
	}
}

/** Gives the bits of a register names. `register` is u8, u16, u32 or u64, little or big endian. */
export const bits = <K extends Register, const P extends Parts>(register: Scalar<K>, parts: P): Bits<P, K> =>
	new Bits(register, parts);

/** The register's own array: one element, or the two halves of 64 bits. */
const words: Readonly<Record<Register, (buffer: ArrayBufferLike, byteOffset: number) => Words['$words']>> = {
	u8: (buffer, at) => new Uint8Array(buffer, at, 1),
	u16: (buffer, at) => new Uint16Array(buffer, at, 1),
	u32: (buffer, at) => new Uint32Array(buffer, at, 1),
	u64: (buffer, at) => new Uint32Array(buffer, at, 2),
};

/** The greatest value of a part. */
const mostOf = ({high, low}: Part): number => 2 ** (high - low + 1) - 1;

const widest = 52;

function checkParts({type, size}: Scalar<Register>, parts: Parts): void {
	const refuse = (cause: string) => wireError('WIRE_DECLARATION_INVALID', {wire: `a register of ${type}`, cause});
	const owners: string[] = [];
	for (const [name, part] of Object.entries(parts)) {
		const {high, low, names} = part;
		if (!/^[A-Za-z_]\w*$/.test(name) || name === '__proto__') throw refuse(`${name} is no name for a part`);
		if (!(Number.isInteger(low) && Number.isInteger(high) && low >= 0 && low <= high && high < size * 8))
			throw refuse(`${name} is bits ${high} to ${low}`);
		if (high - low >= widest) throw refuse(`${name} has more bits than a number holds`);
		for (let bit = low; bit <= high; bit++) {
			if (owners[bit] !== undefined) throw refuse(`${owners[bit]} and ${name} both have bit ${bit}`);
			owners[bit] = name;
		}
		if (typeof names !== 'object') continue;
		const values = Object.values(names);
		const wrong = values.find((value) => !(Number.isInteger(value) && value >= 0 && value <= mostOf(part)));
		if (wrong !== undefined) throw refuse(`${name} cannot be ${wrong}`);
		if (new Set(values).size !== values.length) throw refuse(`${name} has two names for one value`);
	}
}

const nameOf = (names: Names, value: number): string | undefined =>
	Object.keys(names).find((name) => names[name] === value);

function decodePart({names}: Part, value: number): boolean | number | string {
	if (names === true) return value !== 0;
	return names === undefined ? value : (nameOf(names, value) ?? value);
}

/** The number that a part's value is, checked. */
function encodePart(part: Part, value: unknown, path: string): number {
	const {names} = part;
	if (names === true && typeof value === 'boolean') return value ? 1 : 0;
	if (typeof names === 'object' && typeof value === 'string' && Object.hasOwn(names, value))
		return names[value] as number;
	if (names !== true && typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= mostOf(part))
		return value;
	throw wireError('WIRE_VALUE_INVALID', {
		field: path,
		cause: `it is bits ${part.high} to ${part.low}, not ${String(value)}`,
	});
}

function encodeParts(parts: Parts, values: object, path: string): bigint {
	let all = 0n;
	for (const [name, value] of Object.entries(values) as [string, unknown][]) {
		if (value === undefined) continue;
		const part = Object.hasOwn(parts, name) ? parts[name] : undefined;
		if (part !== undefined) all |= BigInt(encodePart(part, value, `${path}.${name}`)) << BigInt(part.low);
		else if (name === '$other') all |= BigInt(value as number | bigint);
		else throw wireError('WIRE_VALUE_INVALID', {field: `${path}.${name}`, cause: 'there is no such part'});
	}
	return all;
}

interface Words {
	readonly $words: Uint8Array | Uint16Array | Uint32Array;
}

function prototypeOf({type}: Scalar<Register>, parts: Parts): object {
	const prototype = {};
	for (const [name, part] of Object.entries(parts)) Object.defineProperty(prototype, name, partAccessor(part));
	return Object.defineProperty(prototype, '$value', type === 'u64' ? wideValue : narrowValue);
}

const narrowValue: PropertyDescriptor & ThisType<Words> = {
	get() {
		return this.$words[0];
	},
	set(value: number) {
		this.$words[0] = value;
	},
};

const wideValue: PropertyDescriptor & ThisType<Words> = {
	get() {
		return (BigInt(this.$words[1] as number) << 32n) | BigInt(this.$words[0] as number);
	},
	set(value: bigint) {
		this.$words[0] = Number(value & 0xffff_ffffn);
		this.$words[1] = Number((value >> 32n) & 0xffff_ffffn);
	},
};

/** Assigned values lose the bits that the part does not have, as those of typed arrays do. */
function partAccessor(part: Part): PropertyDescriptor & ThisType<Words> {
	const {high, low, names} = part;
	if (high >= 32 && low < 32) return crossingAccessor(part);
	const index = low >> 5;
	const shift = low & 31;
	const most = mostOf(part);
	const mask = (most << shift) >>> 0;
	if (names === true) {
		return {
			get() {
				return ((this.$words[index] as number) & mask) !== 0;
			},
			set(value: boolean) {
				const word = this.$words[index] as number;
				this.$words[index] = value ? word | mask : word & ~mask;
			},
		};
	}
	if (names === undefined) {
		return {
			get() {
				return ((this.$words[index] as number) & mask) >>> shift;
			},
			set(value: number) {
				this.$words[index] = ((this.$words[index] as number) & ~mask) | ((value << shift) & mask);
			},
		};
	}
	const byValue = new Map(Object.entries(names).map(([name, value]) => [value, name]));
	return {
		get() {
			const value = ((this.$words[index] as number) & mask) >>> shift;
			return byValue.get(value) ?? value;
		},
		set(value: string | number) {
			const number = typeof value === 'string' ? (names[value] ?? 0) : value;
			this.$words[index] = ((this.$words[index] as number) & ~mask) | ((number << shift) & mask);
		},
	};
}

/** A part with bits in both halves of 64. */
function crossingAccessor(part: Part): PropertyDescriptor & ThisType<Words> {
	const {low, names} = part;
	const mask = BigInt(mostOf(part)) << BigInt(low);
	const whole = wideValue as {get(this: Words): bigint; set(this: Words, value: bigint): void};
	return {
		get() {
			return decodePart(part, Number((whole.get.call(this) & mask) >> BigInt(low)));
		},
		set(value: string | number) {
			const number = typeof value === 'string' ? ((names as Names)[value] ?? 0) : value;
			whole.set.call(this, (whole.get.call(this) & ~mask) | ((BigInt(number) << BigInt(low)) & mask));
		},
	};
}
