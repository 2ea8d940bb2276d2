/** A case while it is made: what has been decided about its instruction, and the state before it. */
import type {Form} from './form.ts';
import type {CaseView} from './host-processor.ts';
import {codeAddress, regions, windowAddress} from './layout.ts';
import {
	codeBytes,
	fixedRflags,
	type GeneralRegister,
	generalRegisters,
	Rflags,
	windowBytes,
} from './processor-state.ts';
import {Random} from './random.ts';
import {statusFlags} from './undefined-results.ts';
import {writeValue} from './values.ts';

const dataEnd = regions.data.address + regions.data.size;
const codePageEnd = regions.code.address + regions.code.size;
/** Addresses from here on are no pages, and those that wrap to them with 32 bits. */
const gap = 0x800;
const nonCanonical = [1n << 47n, (1n << 63n) - 8n, 1n << 63n, (1n << 64n) - (1n << 47n) - 8n, 0x1234_5678_9abc_def0n];

export const registerNumber = Object.fromEntries(generalRegisters.map((name, index) => [name, index])) as Readonly<
	Record<GeneralRegister, number>
>;
const {rsp} = registerNumber;

/** The memory of a record, as generators write it. */
export class Slot {
	readonly record: CaseView;
	readonly gpr: BigUint64Array;
	/** The same registers as pairs of words. */
	readonly words: Uint32Array;
	readonly memory: Uint8Array;
	readonly memoryWords: Uint32Array;
	readonly memoryView: DataView;
	/** The area of XSAVE, in words. */
	readonly xsaveWords: Uint32Array;

	constructor(record: CaseView) {
		this.record = record;
		const {gpr, memory, xsave} = record.before;
		const {buffer, byteOffset, byteLength} = xsave.$bytes;
		this.xsaveWords = new Uint32Array(buffer, byteOffset, byteLength / 4);
		this.gpr = gpr as unknown as BigUint64Array;
		this.words = new Uint32Array(this.gpr.buffer, this.gpr.byteOffset, 32);
		this.memory = memory;
		this.memoryWords = new Uint32Array(memory.buffer, memory.byteOffset, windowBytes / 4);
		this.memoryView = new DataView(memory.buffer, memory.byteOffset, windowBytes);
	}
}

/** Address of an operand in memory, as ModRM and SIB say it. */
export interface Addressing {
	/** -1 where there is none. */
	base: number;
	index: number;
	/** log2 of the factor. */
	scale: number;
	displacement: bigint;
	displacementBytes: 0 | 1 | 4;
	isRipRelative: boolean;
}

export class CaseBuilder {
	readonly random = new Random(0);
	form!: Form;
	slot!: Slot;
	/** One bit for each general register whose value must stay. */
	fixed = 0;
	/** Offset of the instruction in the code window. */
	start = 0;
	/** Offsets of end markers in the code window, beside the one behind the instruction. */
	ends: number[] = [];
	/** An exception is wanted, where the form can have one. */
	isFaulting = false;
	/** Addresses have 32 bits. */
	isAddress32 = false;
	/** F2 or F3, where instructions are repeated. */
	repeat: number | undefined;
	isLocked = false;
	/** The register that ModRM.reg or the opcode names. */
	reg = 0;
	hasRex = false;
	isMemory = false;
	/** The register that ModRM.rm names. */
	rm = 0;
	/** The register that VEX.vvvv names, and the one in a constant. */
	other = 0;
	last = 0;
	readonly addressing: Addressing = {
		base: -1,
		index: -1,
		scale: 0,
		displacement: 0n,
		displacementBytes: 0,
		isRipRelative: false,
	};
	/** Address of the operand in memory, and its place in the window, -1 where it is not in there. */
	target = 0n;
	targetOffset = -1;
	/** From the effective address to the operand: what a bit's number adds. */
	beyond = 0n;
	/** Number that the instruction adds to RSP before it uses it as a base. */
	stackBias = 0n;
	/** Target of a branch. */
	branchTarget = 0;
	/** Of the immediates; those that a role does not give are any. */
	readonly immediates: (number | undefined)[] = [];
	readonly #scratch = new Uint32Array(2);

	/** Begins a case with a state in which everything is random. */
	begin(form: Form, slot: Slot): void {
		const {random} = this;
		this.form = form;
		this.slot = slot;
		this.fixed = 0;
		this.start = random.below(40);
		this.ends.length = 0;
		this.immediates.length = 0;
		this.isFaulting = random.oneIn(32);
		this.targetOffset = -1;
		this.beyond = 0n;
		this.stackBias = 0n;
		const {words, memoryWords, record} = slot;
		for (let index = 0; index < 32; index += 2) writeValue(words, index, random);
		if (random.oneIn(4)) this.copyRegister(random.below(16), random.below(16));
		// Not every host can return from an interrupt to an RSP that is not canonical.
		const rspHigh = 2 * rsp + 1;
		words[rspHigh] = ((words[rspHigh] as number) << 16) >> 16;
		random.fill(memoryWords);
		record.before.rflags = BigInt(fixedRflags | (random.u32() & (statusFlags | Rflags.DF)));
	}

	copyRegister(from: number, to: number): void {
		const {words} = this.slot;
		words[2 * to] = words[2 * from] as number;
		words[2 * to + 1] = words[2 * from + 1] as number;
	}

	isFixed(register: number): boolean {
		return (this.fixed & (1 << register)) !== 0;
	}

	register(register: number): bigint {
		return this.slot.gpr[register] as bigint;
	}

	/** Gives a register a value that stays. */
	setRegister(register: number, value: bigint): void {
		this.slot.gpr[register] = BigInt.asUintN(64, register === rsp ? BigInt.asIntN(48, value) : value);
		this.fixed |= 1 << register;
	}

	/** Gives a register that an address is in its value; with 32-bit addresses, the other half is any. */
	setAddress(register: number, value: bigint): void {
		this.setRegister(register, value);
		if (this.isAddress32) this.slot.words[2 * register + 1] = this.random.u32();
	}

	/** An address of `bytes` in the window: often across the border of pages or cache lines, or aligned. */
	addressInWindow(bytes: number): number {
		const {random} = this;
		const choice = random.below(8);
		if (choice === 0 && bytes > 1) return windowAddress + windowBytes / 2 - 1 - random.below(bytes - 1);
		const offset = random.below(windowBytes - bytes + 1);
		return windowAddress + (choice < 4 && bytes > 0 ? offset - (offset % bytes) : offset);
	}

	/** An address where an access of `bytes` is an exception. */
	faultingAddress(bytes: number): bigint {
		const {random} = this;
		switch (random.below(this.isAddress32 ? 4 : 5)) {
			case 0:
				return BigInt(regions.data.address - 1 - random.below(gap));
			case 1:
				return BigInt(dataEnd + random.below(gap));
			case 2:
				return BigInt(dataEnd - (bytes > 1 ? 1 + random.below(bytes - 1) : 0));
			case 3:
				return BigInt(random.below(gap));
			default:
				return random.pick(nonCanonical);
		}
	}

	/** The same for what is written in several accesses, so that none of them reaches a page. */
	farFaultingAddress(bytes: number): bigint {
		const {random} = this;
		const away = random.below(gap);
		return BigInt(random.oneIn(2) ? regions.data.address - bytes - away : dataEnd + away);
	}

	/** Puts the stack into the window, with room on both sides, or where an access of it faults. */
	placeStack(below = 64, above = 64): void {
		const {random} = this;
		if (this.isFaulting && !this.isMemory) {
			const addresses = [BigInt(regions.data.address - 1 - random.below(gap)), BigInt(dataEnd + 8 + random.below(gap))];
			this.setRegister(rsp, random.pick(addresses));
			return;
		}
		const offset = below + random.below(windowBytes - below - above);
		this.setRegister(rsp, BigInt(windowAddress + (random.oneIn(4) ? offset : offset & ~7)));
	}

	/** Chooses where a branch may go: an end marker, before or behind the instruction, or a page that is not there. */
	chooseBranchTarget(canLeave: boolean): void {
		const {random} = this;
		if (canLeave && this.isFaulting) {
			const before = regions.code.address - 1 - random.below(gap);
			this.branchTarget = random.oneIn(2) ? before : codePageEnd + random.below(gap);
			return;
		}
		const markerBytes = 5;
		const longest = 15;
		this.start = markerBytes + random.below(20);
		const forward = this.start + longest + markerBytes;
		const end = random.oneIn(2)
			? random.below(this.start - markerBytes + 1)
			: forward + random.below(codeBytes - markerBytes - forward + 1);
		this.ends.push(end);
		this.branchTarget = codeAddress + end;
	}

	/** Writes a value to memory of the window; elsewhere there is nothing to write to. */
	poke(address: bigint, bytes: number, value: bigint): void {
		const offset = Number(address - BigInt(windowAddress));
		if (!(offset >= 0 && offset + bytes <= windowBytes)) return;
		const {memory} = this.slot;
		let rest = value;
		for (let index = 0; index < bytes; index++) {
			memory[offset + index] = Number(rest & 0xffn);
			rest >>= 8n;
		}
	}

	/** Writes an interesting value to the window. */
	pokeInteresting(offset: number, bytes: number): void {
		const scratch = this.#scratch;
		writeValue(scratch, 0, this.random);
		for (let index = 0; index < Math.min(bytes, 8); index++) {
			this.slot.memory[offset + index] = (scratch[index >> 2] as number) >>> (8 * (index & 3));
		}
	}

	/** The value of the operand that ModRM.rm names, if it is there. */
	rmIsZero(bytes: number): boolean {
		const {memory, words} = this.slot;
		if (this.isMemory) {
			if (this.targetOffset < 0) return false;
			for (let index = 0; index < bytes; index++) if (memory[this.targetOffset + index] !== 0) return false;
			return true;
		}
		const low = words[2 * this.rm] as number;
		if (bytes === 8) return low === 0 && words[2 * this.rm + 1] === 0;
		return (bytes === 4 ? low : low & 0xffff) === 0;
	}
}
