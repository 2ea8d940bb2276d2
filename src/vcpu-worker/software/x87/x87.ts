import {type X87Memory, x87Memories, x87Operations} from '#vcpu-worker/software/decode';
import {Exception} from '#vcpu-worker/software/float';
import {add, type Binary, compare, divide, multiply, squareRoot, subtract} from './arithmetic.ts';
import {
	decimalIndefinite,
	decimalLimits,
	double,
	type Limits,
	ofDecimal,
	ofInteger,
	ofMemory,
	single,
	toDecimal,
	toInteger,
	toMemory,
	truncated,
} from './conversions.ts';
import {type Extended, extendedOf, indefinite, integerBit, Kind, type Operand, quietBit, signBit} from './extended.ts';
import {extract, remainder, roundToIntegral, scale} from './functions.ts';
import {Status, X87Registers} from './registers.ts';
import {beforeResult, type Context} from './rounding.ts';
import {
	angle,
	constants,
	cosineOf,
	isOutOfRange,
	logarithm,
	logarithmNearOne,
	powerLessOne,
	sineOf,
	tangentOf,
} from './transcendental.ts';

/** Bits of a significand by the control word's PC; the second is reserved (Intel SDM volume 1, table 8-2). */
const precisions = [24, 64, 53, 64] as const;
/** Bits of a comparison's result, in the status word and in RFLAGS. */
const unordered = Status.C0 | Status.C2 | Status.C3;
const flagsOf = {unordered: 0x45, less: 1, equal: 0x40, greater: 0} as const;

const one: Extended = {signExponent: 0x3fff, significand: integerBit};
const zero = ofInteger(0n);

const limitsOf = (bits: number): Limits => ({least: -1n << BigInt(bits - 1), most: (1n << BigInt(bits - 1)) - 1n});
const integerLimits = {16: limitsOf(16), 32: limitsOf(32), 64: limitsOf(64)} as const;

/** Tells the steps of an instruction whether they go on. */
const goOn = 0;
const endHere = 1;

type Operation = (memory: X87Memory | undefined, register: number) => unknown;

/** Where a result goes: to ST(0), or to ST(i), after which ST(0) may be popped. */
type Destination = '' | 'To' | 'Pop';

/**
 * Operations of the x87 (SDM volume 2), on the state of one processor. An exception that is not masked leaves operands as they are if it is found before the
 * result (SDM volume 1, 8.5).
 */
export class X87 {
	readonly registers: X87Registers;
	readonly #context: Context = {rounding: 0, precision: 64, masks: 0x3f, flags: 0, isUp: false};
	readonly #operations: readonly Operation[];

	constructor(memory: SharedArrayBuffer) {
		this.registers = new X87Registers(memory);
		const byName = this.#byName();
		this.#operations = x87Operations.map((name) => byName[name] as Operation);
	}

	/** Carries out what a record says; returns 1 where the instruction is to end with it. */
	readonly execute = (record: number): number => {
		const registers = this.registers;
		const {control} = registers;
		const context = this.#context;
		context.rounding = (control >> 10) & 3;
		context.precision = precisions[(control >> 8) & 3] as number;
		context.masks = control & Status.exceptions;
		context.flags = 0;
		context.isUp = false;
		const word = registers.operation(record);
		const operation = this.#operations[word & 0xff] as Operation;
		return operation(x87Memories[((word >> 8) & 15) - 1], (word >> 12) & 7) === endHere ? endHere : goOn;
	};

	#byName(): Readonly<Record<string, Operation>> {
		const registers = this.registers;
		const unary = (compute: (context: Context, a: Operand) => Extended) => () => this.#unary(compute);
		return {
			...this.#arithmetic('fadd', add),
			...this.#arithmetic('fmul', multiply),
			...this.#arithmetic('fsub', subtract),
			...this.#arithmetic('fsubr', (context, a, b) => subtract(context, b, a)),
			...this.#arithmetic('fdiv', divide),
			...this.#arithmetic('fdivr', (context, a, b) => divide(context, b, a)),
			fcom: (memory, register) => this.#compare(memory, register, 0, false),
			fcomp: (memory, register) => this.#compare(memory, register, 1, false),
			fcompp: () => this.#compare(undefined, 1, 2, false),
			fucom: (memory, register) => this.#compare(memory, register, 0, true),
			fucomp: (memory, register) => this.#compare(memory, register, 1, true),
			fucompp: () => this.#compare(undefined, 1, 2, true),
			fcomi: (_, register) => this.#compareFlags(register, false, false),
			fcomip: (_, register) => this.#compareFlags(register, true, false),
			fucomi: (_, register) => this.#compareFlags(register, false, true),
			fucomip: (_, register) => this.#compareFlags(register, true, true),
			ftst: () => this.#compareWith(zero, 0, false),
			fxam: () => this.#examine(),
			fld: (memory, register) => this.#load(memory, register),
			...Object.fromEntries(
				Object.entries(constants).map(([name, value]) => [name, () => this.#push(value(this.#context.rounding))]),
			),
			fst: (memory, register) => this.#store(memory, register, false),
			fstp: (memory, register) => this.#store(memory, register, true),
			fisttp: (memory) => this.#storeTo(memory ?? 'i16', true, true),
			fxch: (_, register) => this.#exchange(register),
			fcmov: (_, register) => this.#move(register),
			fcmovn: (_, register) => this.#move(register),
			fchs: () => this.#changeSign((sign) => sign ^ signBit),
			fabs: () => this.#changeSign((sign) => sign & ~signBit),
			fsqrt: () => this.#unary(squareRoot, this.#context.precision),
			frndint: unary(roundToIntegral),
			fscale: () => this.#binary(scale, 0),
			fprem: () => this.#remainder(false),
			fprem1: () => this.#remainder(true),
			fxtract: () => this.#extract(),
			f2xm1: unary(powerLessOne),
			fyl2x: () => this.#binary((context, a, b) => logarithm(context, a, b), 1),
			fyl2xp1: () => this.#binary((context, a, b) => logarithmNearOne(context, a, b), 1),
			fpatan: () => this.#binary((context, a, b) => angle(context, b, a), 1),
			fsin: () => this.#ofAngle(sineOf),
			fcos: () => this.#ofAngle(cosineOf),
			fptan: () => this.#ofAngle(tangentOf, () => one),
			fsincos: () => this.#ofAngle(sineOf, cosineOf),
			fnop: () => {},
			fincstp: () => this.#turn(1),
			fdecstp: () => this.#turn(-1),
			ffree: (_, register) => registers.empty(register),
			ffreep: (_, register) => {
				registers.empty(register);
				registers.turn(1);
			},
			fninit: () => registers.initialize(),
			fnclex: () => {
				registers.status &= ~(Status.summary | Status.stackFault | Status.exceptions);
			},
			fldcw: () => {
				registers.control = Number(BigInt.asUintN(16, registers.scratch(0)));
			},
			fnstcw: () => registers.setScratch(0, BigInt(registers.control)),
			fnstsw: () => registers.setScratch(0, BigInt(registers.status)),
		};
	}

	#arithmetic(name: string, compute: Binary): Record<string, Operation> {
		const to = (destination: Destination): Operation => {
			return (memory, register) => this.#calculate(compute, destination, memory, register);
		};
		return {[name]: to(''), [`${name}To`]: to('To'), [`${name}Pop`]: to('Pop')};
	}

	#calculate(compute: Binary, destination: Destination, memory: X87Memory | undefined, register: number): void {
		const registers = this.registers;
		const target = destination === '' ? 0 : register;
		const other = destination === '' ? register : 0;
		let result = indefinite;
		if (registers.isEmpty(target) || (memory === undefined && registers.isEmpty(other))) {
			if (!this.#stackFault(false)) return;
		} else {
			const source = memory === undefined ? registers.operand(other) : this.#fromMemory(memory);
			result = compute(this.#context, registers.operand(target), source);
			if (!this.#settle()) return;
		}
		registers.set(target, result);
		if (destination === 'Pop') registers.pop();
	}

	#unary(compute: (context: Context, a: Operand) => Extended, precision = 64): void {
		const registers = this.registers;
		let result = indefinite;
		if (registers.isEmpty(0)) {
			if (!this.#stackFault(false)) return;
		} else {
			this.#context.precision = precision;
			result = compute(this.#context, registers.operand(0));
			if (!this.#settle()) return;
		}
		registers.set(0, result);
	}

	/** An operation of ST(0) and ST(1); a result in ST(1) becomes ST(0). */
	#binary(compute: Binary, target: 0 | 1): void {
		const registers = this.registers;
		let result = indefinite;
		if (registers.isEmpty(0) || registers.isEmpty(1)) {
			if (!this.#stackFault(false)) return;
		} else {
			this.#context.precision = 64;
			result = compute(this.#context, registers.operand(0), registers.operand(1));
			if (!this.#settle()) return;
		}
		registers.set(target, result);
		if (target === 1) registers.pop();
	}

	#compare(memory: X87Memory | undefined, register: number, pops: number, isQuiet: boolean): void {
		if (memory === undefined && this.registers.isEmpty(register)) this.#compareWith(undefined, pops, isQuiet);
		else {
			const operand = memory === undefined ? this.registers.operand(register) : this.#fromMemory(memory);
			this.#compareWith(operand, pops, isQuiet);
		}
	}

	/** @param b - undefined for an empty register */
	#compareWith(b: Operand | undefined, pops: number, isQuiet: boolean): void {
		const registers = this.registers;
		const [order, isDone] = this.#order(b, isQuiet);
		const conditions = order === undefined ? unordered : order === 0 ? Status.C3 : order < 0 ? Status.C0 : 0;
		registers.status = (registers.status & ~unordered) | conditions;
		if (!isDone) return;
		for (let count = 0; count < pops; count++) registers.pop();
	}

	/** How ST(0) compares, and whether no exception that is not masked keeps the stack as it is: the result is there in any case. */
	#order(b: Operand | undefined, isQuiet: boolean): readonly [number | undefined, boolean] {
		const registers = this.registers;
		if (b === undefined || registers.isEmpty(0)) return [undefined, this.#stackFault(false)];
		const order = compare(this.#context, registers.operand(0), b, isQuiet);
		return [order, this.#settle()];
	}

	/** Leaves the result for the step that sets flags. */
	#compareFlags(register: number, pops: boolean, isQuiet: boolean): void {
		const registers = this.registers;
		const operand = registers.isEmpty(register) ? undefined : registers.operand(register);
		const [order, isDone] = this.#order(operand, isQuiet);
		const name = order === undefined ? 'unordered' : order === 0 ? 'equal' : order < 0 ? 'less' : 'greater';
		registers.setScratch(0, BigInt(flagsOf[name]));
		if (isDone && pops) registers.pop();
	}

	/** FXAM (SDM volume 2, table 3-42). */
	#examine(): void {
		const registers = this.registers;
		const {C0, C1, C2, C3} = Status;
		const {kind, isNegative, isDenormal} = registers.operand(0);
		let conditions: number = {
			[Kind.zero]: C3,
			[Kind.finite]: isDenormal ? C3 | C2 : C2,
			[Kind.infinity]: C2 | C0,
			[Kind.quiet]: C0,
			[Kind.signalling]: C0,
			[Kind.unsupported]: 0,
		}[kind];
		if (registers.isEmpty(0)) conditions = C3 | C0;
		registers.status = (registers.status & ~Status.conditions) | conditions | (isNegative ? C1 : 0);
	}

	#load(memory: X87Memory | undefined, register: number): void {
		const registers = this.registers;
		if (memory === undefined) {
			if (!registers.isEmpty(register)) this.#push(registers.get(register));
			else if (this.#stackFault(false)) registers.push(indefinite);
			return;
		}
		if (memory === 'm80') {
			const signExponent = Number(registers.scratch(1) & 0xffffn);
			this.#push({signExponent, significand: registers.scratch(0)});
			return;
		}
		const operand = this.#fromMemory(memory);
		const context = this.#context;
		// A denormal number is pushed even if its exception is not masked, as processors of AMD do.
		if (operand.isDenormal && registers.isEmpty(7)) this.#signal(Exception.denormal);
		if (operand.kind !== Kind.signalling) this.#push(extendedOf(operand));
		else {
			context.flags |= Exception.invalid;
			this.#push(extendedOf({...operand, significand: operand.significand | quietBit}));
		}
	}

	/** Pushes a value, where there is room for it and no exception that stops it. */
	#push(value: Extended): void {
		const registers = this.registers;
		if (!registers.isEmpty(7)) {
			if (this.#stackFault(true)) registers.push(indefinite);
		} else if (this.#settle()) registers.push(value);
	}

	#store(memory: X87Memory | undefined, register: number, pops: boolean): number {
		if (memory !== undefined) return this.#storeTo(memory, pops, false);
		const registers = this.registers;
		if (registers.isEmpty(0)) {
			if (!this.#stackFault(false)) return goOn;
			registers.set(register, indefinite);
		} else {
			this.#settle();
			registers.set(register, registers.get(0));
		}
		if (pops) registers.pop();
		return goOn;
	}

	#storeTo(memory: X87Memory, pops: boolean, isTruncated: boolean): number {
		const registers = this.registers;
		const isEmpty = registers.isEmpty(0);
		if (isEmpty) {
			if (!this.#stackFault(false)) return endHere;
		}
		// An empty register stores what an invalid operation does.
		const operand = isEmpty ? {...zero, kind: Kind.unsupported} : registers.operand(0);
		const {signExponent, significand} = isEmpty ? indefinite : registers.get(0);
		if (memory === 'm80') {
			registers.setScratch(0, significand);
			registers.setScratch(1, BigInt(signExponent));
		} else this.#convert(memory, operand, isTruncated);
		if (!isEmpty && !this.#settleStore()) return endHere;
		if (pops) registers.pop();
		return goOn;
	}

	#convert(memory: X87Memory, operand: Operand, isTruncated: boolean): void {
		const registers = this.registers;
		const context = this.#context;
		if (memory === 'm32' || memory === 'm64') {
			registers.setScratch(0, toMemory(context, memory === 'm32' ? single : double, operand));
			return;
		}
		if (memory === 'bcd') {
			const value = toInteger(context, operand, decimalLimits);
			const packed = value === undefined ? decimalIndefinite : toDecimal(value, operand.isNegative);
			registers.setScratch(0, BigInt.asUintN(64, packed));
			registers.setScratch(1, packed >> 64n);
			return;
		}
		const bits = memory === 'i16' ? 16 : memory === 'i32' ? 32 : 64;
		const limits = integerLimits[bits];
		const value = (isTruncated ? truncated : toInteger)(context, operand, limits) ?? limits.least;
		registers.setScratch(0, BigInt.asUintN(bits, value));
	}

	#exchange(register: number): void {
		const registers = this.registers;
		if (registers.isEmpty(0) || registers.isEmpty(register)) {
			if (!this.#stackFault(false)) return;
			for (const index of [0, register]) if (registers.isEmpty(index)) registers.set(index, indefinite);
		} else this.#settle();
		const [first, second] = [registers.get(0), registers.get(register)];
		registers.set(0, second);
		registers.set(register, first);
	}

	/** FCMOVcc, whose condition a step has found. */
	#move(register: number): void {
		const registers = this.registers;
		if (registers.isEmpty(0) || registers.isEmpty(register)) {
			if (this.#stackFault(false)) registers.set(0, indefinite);
		} else if ((registers.scratch(0) & 1n) === 1n) registers.set(0, registers.get(register));
	}

	#changeSign(change: (signExponent: number) => number): void {
		const registers = this.registers;
		if (registers.isEmpty(0)) {
			if (this.#stackFault(false)) registers.set(0, indefinite);
			return;
		}
		this.#settle();
		const {signExponent, significand} = registers.get(0);
		registers.set(0, {signExponent: change(signExponent), significand});
	}

	#remainder(isNearest: boolean): void {
		const registers = this.registers;
		const {C0, C1, C2, C3} = Status;
		registers.status &= ~C2;
		if (registers.isEmpty(0) || registers.isEmpty(1)) {
			if (this.#stackFault(false)) registers.set(0, indefinite);
			return;
		}
		this.#context.precision = 64;
		const {value, quotient, isPartial} = remainder(
			this.#context,
			registers.operand(0),
			registers.operand(1),
			isNearest,
		);
		if (!this.#settle()) return;
		registers.set(0, value);
		if (quotient === undefined) return;
		const bits = ((quotient & 4) !== 0 ? C0 : 0) | ((quotient & 2) !== 0 ? C3 : 0) | ((quotient & 1) !== 0 ? C1 : 0);
		registers.status = (registers.status & ~Status.conditions) | (isPartial ? C2 : bits);
	}

	#extract(): void {
		const registers = this.registers;
		const isEmpty = registers.isEmpty(0);
		if (isEmpty || !registers.isEmpty(7)) {
			if (!this.#stackFault(!isEmpty)) return;
			registers.set(0, indefinite);
			registers.push(indefinite);
			return;
		}
		const {exponent, significand} = extract(this.#context, registers.operand(0));
		if (!this.#settle()) return;
		registers.set(0, exponent);
		registers.push(significand);
	}

	/** A function of an angle, and a second one that is pushed. */
	#ofAngle(
		compute: (context: Context, a: Operand) => Extended,
		computeSecond?: (context: Context, a: Operand) => Extended,
	): void {
		const registers = this.registers;
		registers.status &= ~Status.C2;
		const isEmpty = registers.isEmpty(0);
		if (isEmpty || (computeSecond !== undefined && !registers.isEmpty(7))) {
			if (!this.#stackFault(!isEmpty)) return;
			registers.set(0, indefinite);
			if (computeSecond !== undefined) registers.push(indefinite);
			return;
		}
		const operand = registers.operand(0);
		if (isOutOfRange(operand)) {
			registers.status |= Status.C2;
			return;
		}
		this.#context.precision = 64;
		const result = compute(this.#context, operand);
		// What is no number is both results.
		const isNumber = operand.kind < Kind.infinity;
		const second = isNumber ? computeSecond?.(this.#context, operand) : result;
		if (!this.#settle()) return;
		registers.set(0, result);
		if (computeSecond !== undefined && second !== undefined) registers.push(second);
	}

	#turn(by: number): void {
		this.#settle();
		this.registers.turn(by);
	}

	/** What an operand in memory holds. */
	#fromMemory(memory: X87Memory): Operand {
		const value = this.registers.scratch(0);
		if (memory === 'm32') return ofMemory(single, BigInt.asUintN(32, value));
		if (memory === 'm64') return ofMemory(double, value);
		if (memory === 'bcd') return ofDecimal(value | ((this.registers.scratch(1) & 0xffffn) << 64n));
		return ofInteger(BigInt.asIntN(memory === 'i16' ? 16 : memory === 'i32' ? 32 : 64, value));
	}

	/** An operand is missing, or there is no room for one. True where that is masked: then the result is indefinite. */
	#stackFault(isOverflow: boolean): boolean {
		this.#context.isUp = isOverflow;
		this.registers.status |= Status.stackFault;
		this.#signal(Exception.invalid);
		return (this.#context.masks & Exception.invalid) !== 0;
	}

	/** Says in the status word what exceptions there were. False where one forbids a result. */
	#settle(): boolean {
		const {flags, masks} = this.#context;
		if ((flags & beforeResult & ~masks) !== 0) {
			this.#context.isUp = false;
			this.#signal(flags & beforeResult);
			return false;
		}
		this.#signal(flags);
		return true;
	}

	/** The same of a result that goes to memory: one that is too large or too small is none. */
	#settleStore(): boolean {
		const {flags, masks} = this.#context;
		const outOfRange = flags & ~masks & (Exception.overflow | Exception.underflow);
		if (outOfRange === 0) return this.#settle();
		this.#context.flags = outOfRange;
		this.#context.isUp = false;
		this.#settle();
		return false;
	}

	#signal(flags: number): void {
		const registers = this.registers;
		registers.status = (registers.status & ~Status.C1) | flags | (this.#context.isUp ? Status.C1 : 0);
		if ((flags & ~this.#context.masks) !== 0) registers.summarize();
	}
}
