import {
	callOf,
	constant,
	type FloatShape,
	type FuncOf,
	type FunctionBuilder,
	type Int,
	type IntType,
	i32,
	i64,
	type Local,
	type Memory,
	type Vector,
	type Width,
} from '#support/wasm';
import {
	type Apart,
	Flags,
	type Half,
	type Kind,
	type OperandName,
	type Operation,
} from '#vcpu-worker/software/semantics';
import {CpuState, generalAt, leastNormalAt, SegmentState, Stop, segmentBaseAt} from '#vcpu-worker/software/state';
import {GuestAccess, type Imports} from './guest-access.ts';
import type {Place, Registers} from './registers.ts';
import type {StepFields} from './step-fields.ts';
import {SystemAccess} from './system-access.ts';

/** Ways for a step to go on elsewhere than at the next record. */
export interface Jumps {
	/** To where the record's constant says. */
	inPage(): void;
	/** At an address in the code segment. */
	to(address: Int<'i64'>): void;
}

/** Functions beside the code, for what steps seldom have to do. */
export interface StepFunctions {
	/**
	 * Finds a function, or writes it. It takes the record of the step that calls it, and returns the `Stop`, or 0.
	 * @param key - what is alike in all steps for which it is the same
	 */
	find(key: string, kind: Kind, write: (step: GeneratedStep) => void): FuncOf<'i32'>;
}

/** Of a vector of 256 bits. */
const halfBytes = 16;
/** Bit of DF in RFLAGS. */
const directionBit = 10;
/** Vector of an exception. */
const generalProtection = 13;
/** RF. */
const resumeFlag = 0x1_0000;

/**
 * Bits of a segment's limit, and behind it its attributes, by which all 4 GiB can be read, or written: those of data that does not grow
 * downwards (SDM volume 3, 3.4.5.1).
 */
const wholeData = {
	read: {mask: 0x9c_ffff_ffffn, value: 0x90_ffff_ffffn},
	write: {mask: 0x9e_ffff_ffffn, value: 0x92_ffff_ffffn},
} as const;

/** A step as an operation on the processor's memory and the guest's; its fields are read from a record as it runs, or known. */
export class GeneratedStep implements Operation {
	readonly f: FunctionBuilder;
	readonly width: Width;
	readonly type: IntType;
	readonly flags: Flags;
	readonly system: SystemAccess;
	readonly halves: readonly Half[];
	/** It writes guest memory where code may be. */
	hasStored = false;
	readonly #kind: Kind;
	readonly #state: Memory<'i32'>;
	readonly #fields: StepFields;
	readonly #registers: Registers;
	readonly #guest: GuestAccess;
	readonly #check: Imports['check'];
	readonly #compute: Imports['compute'];
	readonly #x87: Imports['x87'];
	readonly #jumps: Jumps | undefined;
	readonly #rare: StepFunctions | undefined;

	/**
	 * @param jumps - undefined: it has none
	 * @param rare - functions for what is rare; undefined: it has all in itself
	 */
	constructor(
		f: FunctionBuilder,
		kind: Kind,
		imports: Imports,
		fields: StepFields,
		registers: Registers,
		tlb: Local<'i32'>,
		jumps: Jumps | undefined,
		rare?: StepFunctions,
	) {
		this.f = f;
		this.#kind = kind;
		// Meanings for vectors say for each operand how wide it is.
		this.width = kind.width === 128 || kind.width === 256 ? 64 : kind.width;
		this.halves = kind.width === 256 ? [0, 1] : [0];
		this.type = this.width === 64 ? 'i64' : 'i32';
		this.#state = imports.state;
		this.#fields = fields;
		this.#registers = registers;
		this.#jumps = jumps;
		this.#rare = rare;
		this.#check = imports.check;
		this.#compute = imports.compute;
		this.#x87 = imports.x87;
		this.#guest = new GuestAccess(imports, f, tlb, {
			leave: (stop) => this.#leave(stop),
			stored: () => registers.stored(),
			missed: registers.missed,
			looks: registers.looks,
		});
		this.system = new SystemAccess(f, imports.state, this.#guest, tlb, fields.record, (stop) => this.#leave(stop));
		this.flags = new Flags({
			get: (word) => registers.read('i64', 64, CpuState.offset(word)) as Int<'i64'>,
			set: (word, value) => registers.write(64, CpuState.offset(word), value),
			get difference() {
				return registers.difference;
			},
			set difference(difference) {
				registers.difference = difference;
			},
		});
	}

	read(operand: OperandName, width: Width = this.width): Int {
		const type = width === 64 ? 'i64' : 'i32';
		const known = this.#fields.constant(operand);
		if (known !== undefined) return constant(type, BigInt.asUintN(width, known));
		return this.#registers.read(type, width, this.#place(operand));
	}

	known(operand: OperandName): bigint | undefined {
		return this.#fields.constant(operand);
	}

	readSigned(operand: OperandName, width: Width = this.width): Int<'i64'> {
		const known = this.#fields.constant(operand);
		if (known !== undefined) return i64(BigInt.asIntN(width, known));
		return this.#registers.readSigned(width, this.#place(operand));
	}

	write(operand: OperandName, value: Int, width: Width = this.width): void {
		this.#registers.write(width, this.#place(operand), value);
	}

	readVector(operand: OperandName, half: Half = 0): Vector {
		return this.#registers.readVector(halfOf(this.#place(operand), half));
	}

	writeVector(operand: OperandName, value: Vector, half: Half = 0): void {
		this.#registers.writeVector(halfOf(this.#place(operand), half), value);
	}

	readFirst(operand: OperandName, width: 32 | 64): Vector {
		return this.#registers.readFirst(width, this.#place(operand));
	}

	readElement(operand: OperandName, width: Width, index: Int<'i32'>): Int {
		return this.#registers.readElement(width, this.#place(operand), index);
	}

	writeElement(operand: OperandName, width: Width, index: Int<'i32'>, value: Int): void {
		this.#registers.writeElement(width, this.#place(operand), index, value);
	}

	loadVectorMemory(address: Int<'i64'>): Vector {
		return this.#guest.loadVector(address, this.#fields.record);
	}

	storeVectorMemory(address: Int<'i64'>, value: Vector): void {
		this.hasStored ||= this.#registers.missed === undefined;
		this.#guest.storeVector(address, value, this.#fields.record);
	}

	requirePart(part: 'vector' | 'mmx' | 'x87' | 'wait' | 'vex' | 'avx'): void {
		const {f} = this;
		const vector = f.let(this.#field32(CpuState.offset(`${part}Fault`)));
		f.ifUnlikely(vector, () => {
			f.store(this.#state, 32, i32(0), CpuState.offset('vector'), vector);
			this.#raise();
		});
	}

	x87Status(): Int<'i32'> {
		return this.#state.load('i32', 16, i32(0), CpuState.offset('x87Status'));
	}

	setX87Status(status: Int<'i32'>): void {
		this.f.store(this.#state, 16, i32(0), CpuState.offset('x87Status'), status);
	}

	keepX87Pointers(hasMemory: boolean): void {
		const {f} = this;
		const state = this.#state;
		f.store(state, 64, i32(0), CpuState.offset('x87InstructionPointer'), this.ownAddress());
		// The opcode is in the upper half of the constant's low 32 bits.
		const opcode = this.immediate().toI32().shrU(16);
		f.store(state, 16, i32(0), CpuState.offset('x87Opcode'), opcode);
		if (!hasMemory) return;
		const offset = this.keptAddress().sub(state.load('i64', 64, this.#segment()));
		f.store(state, 64, i32(0), CpuState.offset('x87DataPointer'), offset);
	}

	runX87(): void {
		const isOver = this.f.let(callOf(this.#x87, this.#fields.record));
		this.f.if(isOver, () => this.leaveBehind());
	}

	setX87Tags(tags: Int<'i32'>): void {
		this.f.store(this.#state, 8, i32(0), CpuState.offset('x87Tags'), tags);
	}

	setVectorControl(value: Int<'i32'>): void {
		this.f.store(this.#state, 32, i32(0), CpuState.offset('mxcsr'), value);
	}

	vectorControl(): Int<'i32'> {
		return this.#field32(CpuState.offset('mxcsr'));
	}

	fusesProducts(): Int<'i32'> {
		return this.#field32(CpuState.offset('fusesProducts'));
	}

	computeExactly(operation: number, operands: readonly (readonly Vector[])[]): readonly Vector[] {
		const {f} = this;
		const at = CpuState.offset('floatOperands');
		for (const [half, values] of operands.entries())
			for (const [index, value] of values.entries())
				f.storeVector(this.#state, i32(0), at + (index * operands.length + half) * halfBytes, value);
		const vector = f.let(callOf(this.#compute, i32(operation), this.immediate().toI32()));
		f.if(vector, () => {
			f.store(this.#state, 32, i32(0), CpuState.offset('vector'), vector);
			this.#raise();
		});
		return operands.map((_, half) => this.#state.loadVector(i32(0), CpuState.offset('floatResult') + half * halfBytes));
	}

	leastNormal(shape: FloatShape): Vector {
		return this.#state.loadVector(i32(0), leastNormalAt[shape]);
	}

	get apart(): Apart | undefined {
		const rare = this.#rare;
		return rare && ((name, operands, results, compute) => this.#apart(rare, name, operands, results, compute));
	}

	readRegister(register: number, width: Width): Int {
		return this.#registers.read(width === 64 ? 'i64' : 'i32', width, generalAt(register));
	}

	writeRegister(register: number, width: Width, value: Int): void {
		this.#registers.write(width, generalAt(register), value);
	}

	condition(): Int<'i32'> {
		return this.#fields.condition(this.f, this.flags);
	}

	small(): Int<'i32'> {
		return this.#fields.small();
	}

	immediate(): Int<'i64'> {
		return this.#fields.immediate();
	}

	address(): Int<'i64'> {
		if (this.#kind.form === 'kept') return this.keptAddress();
		if (this.#kind.form === 'base') return this.#wide('b').add(this.immediate());
		return this.inFlatSegment(this.offset());
	}

	offset(): Int<'i64'> {
		const scale = this.small().toI64U();
		const offset = this.#wide('b').add(this.immediate()).add(this.#wide('c').shl(scale));
		const bits = {within32: 0xffff_ffffn, within16: 0xffffn, indexed: undefined}[this.#kind.form as 'indexed'];
		return bits === undefined ? offset : offset.and(bits);
	}

	inSegment(
		offset: Int<'i64'>,
		isWrite: boolean,
		segment: Int<'i32'> = this.#segment(),
		bytes = this.#kind.width / 8,
	): Int<'i64'> {
		const {f} = this;
		const {missed} = this.#registers;
		// Segments of 16-bit code always have a limit.
		if (missed !== undefined && this.#kind.form !== 'within16' && this.#kind.width !== 16) {
			const {mask, value} = wholeData[isWrite ? 'write' : 'read'];
			const descriptor = this.#state.load('i64', 64, segment, SegmentState.offset('limit'));
			f.ifUnlikely(descriptor.and(mask).ne(value), missed);
			return f.let(this.inFlatSegment(offset, segment).and(0xffff_ffffn));
		}
		const address = f.let(callOf(this.#check, segment, offset, i32(bytes), i32(isWrite ? 1 : 0)));
		const stop = f.let(this.#field32(CpuState.offset('stop')));
		f.if(stop, () => this.#leave(stop));
		return address;
	}

	inFlatSegment(offset: Int<'i64'>, segment: Int<'i32'> = this.#segment()): Int<'i64'> {
		if (segment.known === BigInt(CpuState.offset('none'))) return offset;
		return offset.add(this.#state.load('i64', 64, segment));
	}

	stackMask(): Int<'i64'> {
		return this.#word('stackMask');
	}

	keptAddress(): Int<'i64'> {
		return this.#registers.read('i64', 64, CpuState.offset('address')) as Int<'i64'>;
	}

	keepAddress(address: Int<'i64'>): void {
		this.#registers.write(64, CpuState.offset('address'), address);
	}

	loadMemory(address: Int<'i64'>, width: Width, forWrite = false): Int {
		return this.#guest.load(width === 64 ? 'i64' : 'i32', width, address, forWrite, this.#fields.record);
	}

	storeMemory(address: Int<'i64'>, width: Width, value: Int): void {
		this.hasStored ||= this.#registers.missed === undefined;
		this.#guest.store(width, address, value, this.#fields.record);
	}

	compareExchangeMemory(address: Int<'i64'>, width: Width, expected: Int, value: Int): Int {
		this.hasStored = true;
		return this.#guest.compareExchange(width, address, expected, value, this.#fields.record);
	}

	fence(): void {
		this.f.let(this.#state.rmw('or', 32, i32(0), CpuState.offset('none'), i32(0)));
	}

	direction(): Int<'i32'> {
		return this.controlFlags().shrU(directionBit).and(1);
	}

	setDirection(direction: 0 | 1): void {
		const bit = 1 << directionBit;
		this.setControlFlags(direction === 1 ? this.controlFlags().or(bit) : this.controlFlags().and(~bit));
	}

	controlFlags(): Int<'i32'> {
		return this.#field32(CpuState.offset('controlFlags'));
	}

	setControlFlags(flags: Int<'i32'>): void {
		this.f.store(this.#state, 32, i32(0), CpuState.offset('controlFlags'), flags);
	}

	poppableFlags(): Int<'i32'> {
		return this.#field32(CpuState.offset('poppableFlags'));
	}

	leaveVirtualFlags(): void {
		this.f.if(this.#field32(CpuState.offset('flagsAreVirtual')), () => this.#leave(i32(Stop.system)));
	}

	sourceElement(offset: Int<'i64'>): Int<'i64'> {
		const segment = this.#segment();
		return this.#element(offset, false, segment, segment);
	}

	destinationElement(offset: Int<'i64'>, isWrite: boolean): Int<'i64'> {
		// In 64-bit code ES has no base, whatever its descriptor says.
		return this.#element(offset, isWrite, i32(segmentBaseAt(0)), i32(CpuState.offset('none')));
	}

	budget(): Int<'i32'> {
		return this.#registers.budget();
	}

	setBudget(budget: Int<'i32'>): void {
		this.#registers.setBudget(budget);
	}

	placeOf(address: Int<'i64'>, forWrite: boolean): Int<'i64'> {
		return this.#guest.placeOf(this.width, address, forWrite);
	}

	copyPlaces(target: Int<'i64'>, source: Int<'i64'>, bytes: Int<'i64'>): void {
		this.#guest.copy(target, source, bytes);
	}

	fillPlaces(target: Int<'i64'>, value: Int<'i32'>, bytes: Int<'i64'>): void {
		this.#guest.fill(target, value, bytes);
	}

	pollInside(): void {
		const {f} = this;
		const budget = f.let(this.budget().sub(1));
		this.setBudget(budget);
		f.if(budget.ltS(0).or(this.#field32(CpuState.offset('request')).ne(0)), () => {
			f.store(this.#state, 64, i32(0), CpuState.offset('rip'), this.ownAddress());
			// An interrupt that comes now finds RF set: the instruction's breakpoint has been reported (SDM volume 3, 18.3.1.1).
			this.setControlFlags(this.controlFlags().or(resumeFlag));
			this.#leave(i32(Stop.poll));
		});
	}

	leaveBefore(): void {
		this.#registers.setBudget(this.#registers.budget().sub(this.#fields.ordinal()));
		this.f.store(this.#state, 64, i32(0), CpuState.offset('rip'), this.ownAddress());
		this.#leave(i32(Stop.again));
	}

	lookUp(): void {
		this.f.store(this.#state, 64, i32(0), CpuState.offset('rip'), this.ownAddress());
		this.#leave(i32(Stop.lookup));
	}

	leaveBehind(): void {
		this.#registers.setBudget(this.#registers.budget().sub(this.#fields.ordinal()));
		this.f.store(this.#state, 64, i32(0), CpuState.offset('rip'), this.nextAddress());
		this.#leave(i32(Stop.lookup));
	}

	raise(vector: number): void {
		this.f.store(this.#state, 32, i32(0), CpuState.offset('vector'), i32(vector));
		this.#raise();
	}

	jumpInPage(): void {
		this.#jumps?.inPage();
	}

	jumpTo(address: Int<'i64'>): void {
		this.#jumps?.to(address);
	}

	targetInPage(): Int<'i64'> {
		return this.#word('codePageOffset').add(this.immediate());
	}

	requireInCode(offset: Int<'i64'>): void {
		const limit = this.#state.load('i64', 32, i32(0), segmentBaseAt(1) + SegmentState.offset('limit'));
		this.f.if(offset.gtU(limit), () => this.raise(generalProtection));
	}

	ownAddress(): Int<'i64'> {
		return this.#word('codePageOffset').add(this.#fields.start());
	}

	nextAddress(): Int<'i64'> {
		return this.#word('codePageOffset').add(this.#fields.next());
	}

	/** A string's step says by its small number that segments are to be checked. */
	#element(offset: Int<'i64'>, isWrite: boolean, segment: Int<'i32'>, flat: Int<'i32'>): Int<'i64'> {
		const {f} = this;
		const at = f.let(offset);
		const address = f.local('i64');
		f.if(
			this.small(),
			() => f.set(address, this.inSegment(at, isWrite, segment)),
			() => f.set(address, at.add(this.#state.load('i64', 64, flat))),
		);
		return address;
	}

	#apart(rare: StepFunctions, ...[name, operands, results, compute]: Parameters<Apart>): readonly Vector[] {
		const state = this.#state;
		const at = (name: 'floatOperands' | 'floatResult', index: number): [Int<'i32'>, number] => [
			i32(0),
			CpuState.offset(name) + index * halfBytes,
		];
		const func = rare.find(`${name} ${operands.length}`, this.#kind, (step) => {
			let index = 0;
			const given = operands.map((half) =>
				half.map(() => step.f.letVector(state.loadVector(...at('floatOperands', index++)))),
			);
			for (const [half, value] of compute(step, given).entries())
				step.f.storeVector(state, ...at('floatResult', half), value);
		});
		for (const [index, value] of operands.flat().entries())
			this.f.storeVector(state, ...at('floatOperands', index), value);
		const stop = this.f.let(callOf(func, this.#fields.record));
		this.f.if(stop, () => this.#leave(stop));
		return Array.from({length: results}, (_, half) => state.loadVector(...at('floatResult', half)));
	}

	/** Leaves with the exception that `vector` says. */
	#raise(): void {
		this.f.store(this.#state, 32, i32(0), CpuState.offset('errorCode'), i32(0));
		this.#leave(i32(Stop.fault));
	}

	#segment(): Int<'i32'> {
		return this.#fields.segment();
	}

	#leave(stop: Int<'i32'>): void {
		this.#registers.leave(stop, this.#fields.record);
	}

	#place(operand: OperandName): Place {
		return this.#fields.place(operand);
	}

	#wide(operand: OperandName): Int<'i64'> {
		return this.read(operand, 64) as Int<'i64'>;
	}

	#word(name: 'codePageOffset' | 'stackMask'): Int<'i64'> {
		return this.#state.load('i64', 64, i32(0), CpuState.offset(name));
	}

	#field32(offset: number): Int<'i32'> {
		return this.#state.load('i32', 32, i32(0), offset);
	}
}

/** A half of 256 bits. */
function halfOf(place: Place, half: Half): Place {
	if (half === 0) return place;
	return typeof place === 'number' ? place + halfBytes : place.add(halfBytes);
}
