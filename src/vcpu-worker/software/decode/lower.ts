import {
	type AddressForm,
	kindNumber,
	type StepWidth,
	stringName,
	systemMeanings,
	vexMeanings,
} from '#vcpu-worker/software/semantics';
import {CpuState, generalAt, scratchAt, segmentBaseAt, selectorAt} from '#vcpu-worker/software/state';
import type {ImmediateOperand, Instruction, MemoryOperand, Operand} from './instruction.ts';
import {lowerMmx} from './lower-mmx.ts';
import {lowerVector, type StepWriter} from './lower-vector.ts';
import {lowerVex} from './lower-vex.ts';
import {lowerX87} from './lower-x87.ts';
import {ownImmediate, type Step, systemStep} from './step.ts';

const none = CpuState.offset('none');
const accumulator = generalAt(0);
const stackSegment = segmentBaseAt(2);
const highAccumulator = accumulator + 1;
const baseRegister = generalAt(3);
const stackPointer = generalAt(4);

/** An instruction's steps, and whether they end the block. */
export interface Lowered {
	readonly steps: readonly Step[];
	readonly endsBlock: boolean;
	/** In some cases it is left to TypeScript, which is to have it. */
	readonly isSystem: boolean;
}

/** Operations of a destination and a source, whose destination is read and written. */
const readWrite = new Set(
	'add or adc sbb and sub xor shl shr sar rol ror rcl rcr xchg xadd cmpxchg bts btr btc'.split(' '),
);
/** Those whose destination is read only. */
const readOnly = new Set('cmp test bt'.split(' '));
/** Those whose destination is the only operand. */
const unary = new Set('inc dec neg not'.split(' '));
/** Those whose destination is a register that is written, from a source. */
const toRegister = new Set('cmov bsf bsr tzcnt lzcnt popcnt adcx adox'.split(' '));
const withAccumulator = new Set('mul imulWide div idiv'.split(' '));
/** Those with a VEX prefix whose last operand is the one that may be in memory. */
const lastInMemory = new Set('andn mulx pdep pext'.split(' '));
const bitTests = new Set('bt bts btr btc'.split(' '));
const stringOperations = new Set('movs stos lods scas cmps'.split(' '));
const simple = new Set('clc stc cmc cld std'.split(' '));
const endings = new Set('jmp jmpTo ret call callTo syscall sysret iret'.split(' '));
/** Instructions of the system that have steps in 64-bit code only, with operands of 64 bits where they have some. */
const ofLongCode = new Set('syscall swapgs clac stac'.split(' '));
/** The same of registers of 64 bits. */
const ofSegmentBases = new Set('readFsBase readGsBase writeFsBase writeGsBase'.split(' '));
/** Segment registers that MOV reads: ES, CS, SS, DS, FS, GS. */
const segmentRegisters = 6;
/** Control registers that are words of the state, by number. */
const controlRegisters: Readonly<Record<number, 'cr0' | 'cr2' | 'cr3' | 'cr4'>> = {
	0: 'cr0',
	2: 'cr2',
	3: 'cr3',
	4: 'cr4',
};
const ofLongOperands = new Set('sysret iret'.split(' '));

/**
 * Makes steps of an instruction: loads, what computes, stores. All that can fault comes before the first change that stays.
 * @param pageOffset - where in its page it begins
 * @returns undefined for one that TypeScript carries out
 */
export function lower(instruction: Instruction, pageOffset: number): Lowered | undefined {
	const lowering = new Lowering(instruction, pageOffset);
	if (!lowering.run()) return undefined;
	const {name} = instruction;
	return {steps: lowering.steps, endsBlock: endings.has(name), isSystem: name in systemMeanings};
}

/** What is done with an operand in memory. */
type MemoryAccess = 'load' | 'store' | 'loadForWrite';

/** Tells by a step's name what it does with memory. */
const accessOf = (name: string): MemoryAccess =>
	name.startsWith('store') ? 'store' : name === 'loadForWrite' ? name : 'load';

class Lowering {
	readonly steps: Step[] = [];
	readonly #instruction: Instruction;
	readonly #next: number;

	constructor(instruction: Instruction, pageOffset: number) {
		this.#instruction = instruction;
		this.#next = pageOffset + instruction.length;
	}

	/** False for an instruction that has no steps here. */
	run(): boolean {
		const {name, operands, operandSize: size, condition, isLocked} = this.#instruction;
		const [first, second, third] = operands as [Operand, Operand, Operand];
		// With 16 bits a jump goes to the code's first 64 KiB: on AMD's processors in 64-bit mode too (APM volume 3, JMP).
		const narrow = size === 16 ? 'Narrow' : '';
		if (this.#instruction.x87Opcode !== undefined) return lowerX87(this.#instruction, this.#writer());
		if (this.#instruction.isMmx) return lowerMmx(this.#instruction, this.#writer());
		if (this.#instruction.isVex && this.#instruction.isVector) return lowerVex(this.#instruction, this.#writer());
		if (this.#instruction.isVector) return lowerVector(this.#instruction, this.#writer());
		if (bitTests.has(name) && first.kind === 'memory' && second.kind === 'register')
			this.#bitInMemory(first, second.place);
		else if (name === 'xchg' && first.kind === 'memory') this.#exchange('exchangeLocked', first, second);
		else if (name === 'xadd' && isLocked && first.kind === 'memory') this.#exchange('addLocked', first, second);
		else if (readWrite.has(name)) this.#change(name, first, (a) => ({a, ...this.#valueOf(second, 1)}));
		else if (readOnly.has(name)) this.#step(name, widthOf(first), this.#pair(first, second));
		else if (unary.has(name)) this.#change(name, first, (a) => ({a}));
		else if (name in vexMeanings) this.#threeOperands(first, second, third);
		else if (toRegister.has(name)) this.#step(name, size, {...this.#pair(first, second), scale: condition});
		else if (withAccumulator.has(name)) this.#step(name, widthOf(first), {b: this.#source(first, 1)});
		else if (stringOperations.has(name)) this.#string(name, widthOf(first));
		else if (simple.has(name)) this.#step(name, 64, {});
		else if (name === 'jcc') this.#step(`jcc${condition}${narrow}`, 64, this.#target(first));
		else if (name === 'jmp') this.#step(`jmp${narrow}`, 64, this.#target(first));
		else if (name === 'call') this.#stackStep('call', this.#target(first));
		else if (name.startsWith('loop') || name === 'jcxz')
			this.#step(`${name}${narrow}`, this.#instruction.addressSize, this.#target(first));
		else if (name === 'jmpTo') this.#step(name, size, {b: this.#source(first, 1)});
		else if (name === 'callTo') this.#stackStep(name, {b: this.#source(first, 1)});
		else if (name in systemMeanings) return this.#system(name);
		else return this.#others(first, second, third);
		return true;
	}

	#writer(): StepWriter {
		return {
			step: (name, width, fields, form) => this.#step(name, width, fields, form),
			keep: (operand, access) => this.#keep(operand, access),
			access: (name, operand, fields) => this.#access(name, operand, fields),
			storeKept: (name, operand, fields) => {
				this.#keep(operand, 'store');
				this.#step(name, operand.width, {segment: operand.segment, ...fields}, 'kept');
			},
		};
	}

	#others(first: Operand, second: Operand, third: Operand | undefined): boolean {
		const {name, operandSize: size, condition} = this.#instruction;
		switch (name) {
			case 'mov':
			case 'movnti':
				this.#move(first, second);
				break;
			case 'movFromSegment':
				return this.#readSelector(first, second);
			case 'lea':
				this.#lea(placeOf(first), second as MemoryOperand);
				break;
			case 'movzx8':
			case 'movsx8':
				this.#step(name, size, this.#pair(first, second));
				break;
			case 'movzx16':
			case 'movsx16':
				this.#step(size === 16 ? 'mov' : name, size, this.#pair(first, second));
				break;
			case 'movsxd':
				this.#step(size === 64 ? 'movsx32' : 'mov', size, this.#pair(first, second));
				break;
			case 'extend':
				this.#step({16: 'movsx8', 32: 'movsx16', 64: 'movsx32'}[size], size, {a: accumulator, b: accumulator});
				break;
			case 'cwd':
				this.#step('cwd', size, {});
				break;
			case 'bswap':
				this.#step('bswap', size, {a: placeOf(first)});
				break;
			case 'imul': {
				const source = this.#source(second, 1);
				this.#step('imul', size, {
					a: placeOf(first),
					...(third === undefined
						? {b: placeOf(first), c: source}
						: {b: source, c: ownImmediate, immediate: (third as ImmediateOperand).value}),
				});
				break;
			}
			case 'shld':
			case 'shrd':
				this.#change(name, first, (a) => ({a, b: placeOf(second), ...this.#count(third)}));
				break;
			case 'setcc':
				if (first.kind === 'memory') {
					this.#step('setcc', 8, {a: scratchAt(0), scale: condition});
					this.#access('store', first, {a: scratchAt(0)});
				} else this.#step('setcc', 8, {a: placeOf(first), scale: condition});
				break;
			case 'movbe':
				this.#moveSwapped(first, second);
				break;
			case 'crc32':
				this.#step('crc32', widthOf(second), this.#pair(first, second));
				break;
			case 'push':
				this.#stackStep('push', this.#valueOf(first, 1));
				break;
			case 'pop':
				this.#pop(first);
				break;
			case 'pushf':
			case 'popf':
			case 'leave':
			case 'pusha':
			case 'popa':
				this.#stackStep(name, {});
				break;
			case 'ret':
				this.#stackStep('ret', {immediate: (first as ImmediateOperand | undefined)?.value ?? 0n});
				break;
			case 'enter':
				this.#stackStep('enter', {
					immediate: (first as ImmediateOperand).value,
					scale: Number((second as ImmediateOperand).value & 31n),
				});
				break;
			case 'xlat':
				this.#step('movzx8', 64, {a: scratchAt(0), b: accumulator});
				this.#access('load', this.#tableEntry(), {a: accumulator});
				break;
			case 'cmpxchg8b':
			case 'cmpxchg16b':
				// No atomic operation is as wide.
				if (size === 64 && this.#instruction.isLocked) return false;
				this.#keep({...(first as MemoryOperand), width: 64}, 'loadForWrite');
				if (this.#instruction.isLocked) this.#step('compareExchange8', 64, {segment: (first as MemoryOperand).segment});
				else this.#step('cmpxchgPair', size === 64 ? 64 : 32, {segment: (first as MemoryOperand).segment});
				break;
			case 'lahf':
				this.#step('lahf', 8, {a: highAccumulator});
				break;
			case 'sahf':
				this.#step('sahf', 8, {a: highAccumulator});
				break;
			case 'clflush':
			case 'clflushopt':
			case 'clwb':
				// Caches are the host's; it faults as a load does.
				this.#access('load', first as MemoryOperand, {a: scratchAt(0)});
				break;
			case 'mfence':
				this.#step('fence', 64, {});
				break;
			case 'nop':
			case 'prefetch':
			case 'lfence':
			case 'sfence':
				break;
			default:
				return false;
		}
		return true;
	}

	/** An instruction with a VEX prefix: of its sources the one may be in memory, and the other, if there is one, is a register. */
	#threeOperands(first: Operand, second: Operand, third: Operand | undefined): void {
		const {name, operandSize} = this.#instruction;
		const isLast = lastInMemory.has(name);
		const [source, other] = isLast && third !== undefined ? [third, second] : [second, third];
		const c = other === undefined ? {} : this.#count(other);
		this.#step(name, operandSize, {a: placeOf(first), b: this.#source(source, 1), ...c});
	}

	/** Other forms than the usual ones are for TypeScript. */
	#system(name: string): boolean {
		const {codeSize, operandSize} = this.#instruction;
		const isLong = codeSize === 64;
		if (name === 'movFromControl') return isLong && this.#readControl();
		if (ofSegmentBases.has(name)) return this.#segmentBase(name);
		if ((ofLongCode.has(name) && !isLong) || (ofLongOperands.has(name) && !(isLong && operandSize === 64)))
			return false;
		this.#step(name, 64, {});
		return true;
	}

	/** CR8 is the local APIC's. */
	#readControl(): boolean {
		const [to, number] = this.#instruction.operands;
		const field = controlRegisters[number?.kind === 'immediate' ? Number(number.value) : 1];
		if (field === undefined) return false;
		this.#step('movFromControl', 64, {a: placeOf(to), b: CpuState.offset(field)});
		return true;
	}

	/** A base is there for 64-bit code alone: one operand, which is written or read. */
	#segmentBase(name: string): boolean {
		const {operands, operandSize} = this.#instruction;
		const place = operands[0]?.kind === 'register' && operandSize === 64 ? operands[0].place : undefined;
		if (place === undefined) return false;
		this.#step(name, 64, name.startsWith('read') ? {a: place} : {b: place});
		return true;
	}

	/** Memory has 16 bits of a selector, and a register of 32 or 64 bits is filled up with zeros. */
	#readSelector(to: Operand, number: Operand): boolean {
		const {operandSize} = this.#instruction;
		const segment = number.kind === 'immediate' ? Number(number.value) : segmentRegisters;
		if (to.kind !== 'register' || segment >= segmentRegisters) return false;
		this.#step(operandSize === 16 ? 'mov' : 'movzx16', operandSize, {a: to.place, b: selectorAt(segment)});
		return true;
	}

	/** An operation that reads and writes its destination, which may be in memory. */
	#change(name: string, first: Operand, fields: (a: number) => Partial<Step>): void {
		if (first.kind !== 'memory') {
			this.#step(name, widthOf(first), fields(placeOf(first)));
			return;
		}
		const values = fields(scratchAt(0));
		this.#access('loadForWrite', first, {a: scratchAt(0)});
		this.#beginStore();
		this.#step(name, first.width, values);
		this.#storeChanged(first);
	}

	/** A bit whose number is in a register may be in any element after or before the one addressed (SDM volume 2, BT). */
	#bitInMemory(first: MemoryOperand, number: number): void {
		const {name} = this.#instruction;
		const {base, index, scale, displacement} = first;
		const [offset, address] = [scratchAt(2), scratchAt(3)];
		this.#step('bitOffset', first.width, {a: offset, b: number});
		this.#step('lea', 64, {a: address, b: base, c: index, scale, immediate: displacement}, 'indexed');
		this.#keep(
			{...first, base: address, index: offset, scale: 0, displacement: 0n},
			name === 'bt' ? 'load' : 'loadForWrite',
		);
		this.#step(name === 'bt' ? 'load' : 'loadForWrite', first.width, {a: scratchAt(0), segment: first.segment}, 'kept');
		if (name !== 'bt') this.#beginStore();
		this.#step(name, first.width, {a: scratchAt(0), b: number});
		if (name !== 'bt') this.#storeChanged(first);
	}

	/** Keeps what an instruction with LOCK has loaded, for {@link #storeChanged}. */
	#beginStore(): void {
		if (this.#instruction.isLocked) this.#step('beginLocked', 64, {a: scratchAt(2), b: scratchAt(0), c: scratchAt(3)});
	}

	/** Stores what was loaded and changed. */
	#storeChanged({width, segment}: MemoryOperand): void {
		if (!this.#instruction.isLocked) this.#step('store', width, {a: scratchAt(0), segment}, 'kept');
		else this.#step('storeLocked', width, {a: scratchAt(0), b: scratchAt(2), c: scratchAt(3), segment});
	}

	/** Exchanges memory for what comes of a register. */
	#exchange(name: string, first: MemoryOperand, second: Operand): void {
		this.#keep(first, 'loadForWrite');
		this.#step(name, first.width, {a: placeOf(second), segment: first.segment});
	}

	#move(first: Operand, second: Operand): void {
		if (first.kind === 'memory') {
			let source = placeOf(second);
			if (second.kind === 'immediate') {
				source = scratchAt(0);
				this.#step('mov', 64, {a: source, ...this.#valueOf(second, 0)});
			}
			this.#access('store', first, {a: source});
		} else if (second.kind === 'memory') this.#access('load', second, {a: placeOf(first)});
		else this.#step('mov', widthOf(first), this.#pair(first, second));
	}

	#moveSwapped(first: Operand, second: Operand): void {
		const {operandSize: size} = this.#instruction;
		if (first.kind === 'memory') {
			this.#step('movbe', size, {a: scratchAt(0), b: placeOf(second)});
			this.#access('store', first, {a: scratchAt(0)});
		} else this.#step('movbe', size, this.#pair(first, second));
	}

	#lea(place: number, {base, index, scale, displacement}: MemoryOperand): void {
		const {operandSize, addressSize} = this.#instruction;
		const form =
			addressSize === 32 ? 'within32' : addressSize === 16 ? 'within16' : index === none ? 'base' : 'indexed';
		this.#step('lea', operandSize, {a: place, b: base, c: index, scale, immediate: displacement}, form);
	}

	#pop(first: Operand): void {
		const {operandSize: size} = this.#instruction;
		if (first.kind !== 'memory') {
			this.#stackStep('pop', {a: placeOf(first)});
			return;
		}
		const bytes = BigInt(size / 8);
		this.#stackStep('peek', {a: scratchAt(0)});
		// The address goes by RSP as it is afterwards (SDM volume 2, POP).
		const displacement = first.base === stackPointer ? first.displacement + bytes : first.displacement;
		this.#access('store', {...first, displacement}, {a: scratchAt(0)});
		this.#stackStep('drop', {});
	}

	#string(name: string, width: StepWidth): void {
		const {repeat, addressSize, segment} = this.#instruction;
		const compares = name === 'scas' || name === 'cmps';
		const how =
			repeat === undefined ? 'once' : !compares ? 'repeated' : repeat === 'f3' ? 'whileEqual' : 'whileUnequal';
		const immediate = addressSize === 64 ? -1n : (1n << BigInt(addressSize)) - 1n;
		const scale = this.#instruction.codeSize === 64 ? 0 : 1;
		this.#step(stringName(name, how), width, {immediate, segment, scale});
	}

	/** XLAT's operand: the byte at the accumulator's place in the table. */
	#tableEntry(): MemoryOperand {
		const {segment} = this.#instruction;
		return {kind: 'memory', base: baseRegister, index: scratchAt(0), scale: 0, displacement: 0n, segment, width: 8};
	}

	#count(operand: Operand | undefined): Partial<Step> {
		return operand?.kind === 'immediate' ? {c: ownImmediate, immediate: operand.value} : {c: placeOf(operand)};
	}

	#target(operand: Operand): Partial<Step> {
		return {immediate: BigInt(this.#next) + (operand.kind === 'relative' ? operand.value : 0n)};
	}

	#pair(first: Operand, second: Operand): Partial<Step> {
		return {a: this.#source(first, 0), ...this.#valueOf(second, 1)};
	}

	#valueOf(operand: Operand, slot: number): Partial<Step> {
		const immediate = operand.kind === 'immediate' ? {immediate: operand.value} : {};
		return {b: this.#source(operand, slot), ...immediate};
	}

	/** Place of an operand's value; loads one from memory. */
	#source(operand: Operand, slot: number): number {
		if (operand.kind !== 'memory') return placeOf(operand);
		this.#access('load', operand, {a: scratchAt(slot)});
		return scratchAt(slot);
	}

	#access(name: string, operand: MemoryOperand, fields: Partial<Step>): void {
		if (this.#instruction.codeSize !== 64 || this.#instruction.addressSize !== 64) {
			this.#keep(operand, accessOf(name));
			this.#step(name, operand.width, {segment: operand.segment, ...fields}, 'kept');
			return;
		}
		const {base, index, scale, displacement, segment, width} = operand;
		const isPlain = index === none && (segment === none || segment === stackSegment) && name !== 'loadForWrite';
		const address = {scale, segment, immediate: displacement, b: base, c: index};
		this.#step(name, width, {...address, ...fields}, isPlain ? 'base' : 'indexed');
	}

	/** Outside of 64-bit code the segment's limit and type are checked, for what is to be done there. */
	#keep({base, index, scale, displacement, segment, width}: MemoryOperand, access: MemoryAccess): void {
		const form = ({16: 'within16', 32: 'within32', 64: 'indexed'} as const)[this.#instruction.addressSize];
		const fields = {b: base, c: index, scale, segment, immediate: displacement};
		if (this.#instruction.codeSize === 64) this.#step('keep', 64, fields, form);
		else this.#step(access === 'load' ? 'keepToRead' : 'keepToWrite', width, fields, form);
	}

	/** A step that uses the stack: in 64-bit code it has neither limits nor other sizes. */
	#stackStep(name: string, fields: Partial<Step>): void {
		const {codeSize, operandSize} = this.#instruction;
		this.#step(codeSize === 64 ? name : `${name}Segmented`, operandSize, {segment: stackSegment, ...fields});
	}

	#step(name: string, width: StepWidth, fields: Partial<Step>, form?: AddressForm): void {
		const kind = kindNumber(`${name}.${width}${form === undefined ? '' : `.${form}`}`);
		this.steps.push({...systemStep, ...fields, kind});
	}
}

const widthOf = (operand: Operand): StepWidth => (operand.kind === 'relative' ? 64 : operand.width);

/** Gives the place of an operand that is not in guest memory. */
function placeOf(operand: Operand | undefined): number {
	if (operand?.kind === 'register') return operand.place;
	if (operand?.kind === 'immediate') return ownImmediate;
	throw new RangeError('the operand has no place');
}
