/** States that forms need so that something comes of them: stacks, strings, quotients that fit, branches that arrive. */
import {type CaseBuilder, registerNumber} from './case-builder.ts';
import type {Role} from './form.ts';
import {regions, windowAddress} from './layout.ts';
import {Rflags, windowBytes} from './processor-state.ts';
import {interestingCount} from './values.ts';
import {chooseMxcsr, Mxcsr, mxcsrOf, setXmm, setYmm} from './vector-state.ts';
import {
	enterMmx,
	setAngle,
	setArctangent,
	setControlOperand,
	setEnvironment,
	setLogarithm,
	setMmx,
	setNearOne,
	setPower,
	setRemainder,
	setScale,
} from './x87-state.ts';

const {rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi} = registerNumber;

interface RoleActions {
	/** Before operands get their places: registers with a meaning. */
	readonly registers?: (c: CaseBuilder) => void;
	/** Contents of the operands, once they have their places. */
	readonly contents?: (c: CaseBuilder) => void;
}

/** Bytes of the operand that ModRM.rm names. */
const rmBytes = (c: CaseBuilder): number => c.form.rm?.bytes ?? 0;
const maskOf = (bytes: number): bigint => (1n << BigInt(8 * bytes)) - 1n;

function setRm(c: CaseBuilder, value: bigint): void {
	if (c.isMemory) c.poke(c.target, rmBytes(c), value);
	else if (!c.isFixed(c.rm)) c.slot.gpr[c.rm] = value;
}

/** The count is in the immediate or in CL. */
function setCount(c: CaseBuilder): void {
	const count = interestingCount(8 * rmBytes(c), c.random);
	if (c.form.immediates.length > 0) c.immediates[0] = count;
	const {words} = c.slot;
	words[2 * rcx] = ((words[2 * rcx] as number) & ~0xff) | count;
}

/** Bits count from the operand in memory in both directions, as far as the register goes. */
function setBitOffset(c: CaseBuilder): void {
	if (!c.isMemory) return;
	const {random, form} = c;
	const width = form.size;
	const any = BigInt.asIntN(width, (BigInt(random.u32()) << 32n) | BigInt(random.u32()));
	const offset = c.isAddress32 || random.oneIn(2) ? BigInt(random.below(8192) - 4096) : any;
	const above = c.register(c.reg) & ~maskOf(width / 8);
	c.setRegister(c.reg, above | BigInt.asUintN(width, offset));
	c.beyond = (offset >> BigInt(Math.log2(width))) * BigInt(width / 8);
}

/** A place and a length of bits, or a count, in the register that VEX.vvvv names. */
function setBitField(c: CaseBuilder): void {
	const {random, form} = c;
	const [start, length] = [interestingCount(form.size, random), interestingCount(form.size, random)];
	const rest = c.register(c.other) & ~0xffffn;
	if (!random.oneIn(4)) c.setRegister(c.other, rest | BigInt(((length & 0xff) << 8) | (start & 0xff)));
}

/** Mostly a dividend whose high half is small or the sign of the low half. */
function setDividend(c: CaseBuilder): void {
	const {random, slot, form} = c;
	const isSigned = form.mnemonic === 'idiv';
	const bytes = rmBytes(c);
	if (random.oneIn(4)) return;
	const low = c.register(rax);
	const isNegative = isSigned && ((low >> BigInt(8 * bytes - 1)) & 1n) === 1n;
	const high = random.oneIn(3) ? BigInt(random.below(8)) : isNegative ? maskOf(bytes) : 0n;
	if (bytes === 1) slot.gpr[rax] = (low & ~0xff00n) | ((high & 0xffn) << 8n);
	else slot.gpr[rdx] = (c.register(rdx) & ~maskOf(bytes)) | high;
}

function setEqual(c: CaseBuilder): void {
	if (c.random.oneIn(2)) setRm(c, c.register(rax) & (c.isMemory ? maskOf(rmBytes(c)) : maskOf(8)));
}

/** EDX:EAX or RDX:RAX is what is in memory. */
function setPairEqual(c: CaseBuilder): void {
	const half = rmBytes(c) / 2;
	if (c.random.oneIn(3)) return;
	c.poke(c.target, half, c.register(rax));
	c.poke(c.target + BigInt(half), half, c.register(rdx));
}

const pushed = (c: CaseBuilder): number => c.form.size / 8;

/** TF and AC would change what runs behind the instruction, and not every host keeps NT across an interrupt: they stay clear. */
function setFlagsImage(c: CaseBuilder): void {
	const keptClear = BigInt(0x100 | 0x4000 | 0x4_0000);
	const {random} = c;
	const image = ((BigInt(random.u32()) << 32n) | BigInt(random.u32())) & ~keptClear;
	c.poke(c.register(rsp), pushed(c), image);
}

function setFrame(c: CaseBuilder): void {
	const {random} = c;
	const level = random.oneIn(4) ? random.below(32) : random.below(4);
	const allocated = random.below(100);
	c.immediates[0] = allocated;
	c.immediates[1] = level | (random.below(8) << 5);
	const frame = 8 * (level + 1);
	c.placeStack(frame + allocated, 16);
	c.setRegister(rbp, BigInt(windowAddress + frame + random.below(windowBytes - frame)));
}

function setLeaveFrame(c: CaseBuilder): void {
	c.placeStack();
	c.setRegister(rbp, c.register(rsp));
	c.fixed &= ~(1 << rsp);
	c.slot.gpr[rsp] = c.random.u64();
}

function setTableLookup(c: CaseBuilder): void {
	const address = c.isFaulting ? c.faultingAddress(1) : BigInt(c.addressInWindow(1));
	c.setAddress(rbx, address - (c.register(rax) & 0xffn));
}

function setLoopCount(c: CaseBuilder): void {
	c.chooseBranchTarget(false);
	if (!c.random.oneIn(4)) c.setAddress(rcx, BigInt(c.random.below(3)));
}

/** An indirect branch goes where the operand says. */
function setIndirectTarget(c: CaseBuilder): void {
	// A stack in the code would write there.
	if (!c.isMemory && c.rm === rsp) c.rm = rax;
	c.chooseBranchTarget(!c.isMemory);
	if (!c.isMemory) c.setRegister(c.rm, BigInt(c.branchTarget));
}

const pokeIndirectTarget = (c: CaseBuilder): void => {
	if (c.isMemory) c.poke(c.target, 8, BigInt(c.branchTarget));
};

/**
 * Strings within the window, a few elements long; often with one element that differs, so that what looks for it stops there. Where an
 * exception is wanted, what is read and repeated runs out of the pages, after elements that were not in the window either.
 */
function setStrings(c: CaseBuilder): void {
	const {random, slot, form} = c;
	const {rflags} = slot.record.before;
	const isBackward = (rflags & BigInt(Rflags.DF)) !== 0n;
	const bytes = form.size / 8;
	const count = c.repeat === undefined ? 1 : random.oneIn(4) ? random.below(3) : random.below(24);
	const length = Math.max(count, 1) * bytes;
	const place = (register: number): void => {
		const low = windowAddress + random.below(windowBytes - length + 1);
		c.setAddress(register, BigInt(isBackward ? low + length - bytes : low));
	};
	place(rsi);
	place(rdi);
	if (c.repeat !== undefined) {
		c.setAddress(rcx, BigInt(count));
		// The makers' processors differ in the upper halves of what no iteration has changed.
		if (count === 0) for (const register of [rcx, rsi, rdi]) slot.words[2 * register + 1] = 0;
	}
	if (!random.oneIn(4)) fillWithElement(c, bytes);
	if (!c.isFaulting) return;
	const reader = form.mnemonic === 'scas' ? rdi : form.mnemonic === 'stos' ? undefined : rsi;
	if (c.repeat === undefined || reader === undefined) {
		c.setAddress(reader ?? rdi, c.faultingAddress(bytes));
		return;
	}
	const whole = BigInt(random.below(count + 1) * bytes);
	const edge = BigInt(isBackward ? regions.data.address - bytes : regions.data.address + regions.data.size);
	c.setAddress(reader, isBackward ? edge + whole : edge - whole);
}

function fillWithElement(c: CaseBuilder, bytes: number): void {
	const {random, slot} = c;
	const element = c.register(rax);
	for (let offset = 0; offset < windowBytes; offset++) {
		slot.memory[offset] = (slot.words[2 * rax + ((offset % bytes) >> 2)] as number) >>> (8 * ((offset % bytes) & 3));
	}
	if (!random.oneIn(3)) c.poke(BigInt(c.addressInWindow(bytes)), bytes, element + 1n);
}

/** A value that LDMXCSR takes, or now and then one with bits that are reserved; bit 17 is only on processors of Intel. */
function setMxcsrOperand(c: CaseBuilder): void {
	const reserved = c.random.oneIn(16) ? 2 ** c.random.pick([16, 18, 24, 31]) : 0;
	c.poke(c.target, 4, BigInt(chooseMxcsr(c.random) + reserved));
}

/** Sets an address in the window: processors differ in whether a mask of zeros faults where there is no page. */
function setMaskedStore(c: CaseBuilder): void {
	c.setAddress(rdi, BigInt(c.addressInWindow(c.form.operands[0]?.bytes ?? 0)));
}

/**
 * Makers' processors differ in whether x87 becomes MMX when an exception of SSE comes, and when a conversion from MMX takes its operand from memory: it
 * is MMX before.
 */
function setConvertedMmx(c: CaseBuilder): void {
	const canFault = (mxcsrOf(c) & Mxcsr.masks) !== Mxcsr.masks;
	const isFromMemory = c.isMemory && c.form.rm?.kind === 'Q';
	if (canFault || isFromMemory) enterMmx(c);
}

/** The count in the second operand, 64 bits of it. */
function setPackedCount(c: CaseBuilder): void {
	const {random, form} = c;
	if (random.oneIn(6)) return;
	const count = interestingCount(random.pick([16, 32, 64]), random);
	if (form.immediates.length > 0) c.immediates[0] = count;
	else if (c.isMemory) c.poke(c.target, 8, BigInt(count));
	else {
		const value = Uint32Array.of(count, 0, random.u32(), random.u32());
		if (form.unit === 'mmx') setMmx(c, c.rm & 7, value);
		else setXmm(c, c.rm, value);
	}
}

/** Distances of elements that lie in the window; now and then one leads to where no page is. */
function setIndices(c: CaseBuilder): void {
	const {random, form, addressing} = c;
	// Even opcodes have indices of 32 bits.
	const isWide = ((form.opcode[0] ?? 0) & 1) === 1;
	const room = (windowBytes / 2 - 8) >> addressing.scale;
	const stray = random.oneIn(4) ? random.below(8) : -1;
	// Pages end as far from the middle of the window, on both sides.
	const away = regions.data.size / 2 + 8 + random.below(0x700);
	const beyond = (random.oneIn(2) ? away : -away) >> addressing.scale;
	const indices = new Int32Array(8);
	for (let lane = 0; lane < 8; lane += isWide ? 2 : 1) {
		indices[lane] = lane === (isWide ? stray & ~1 : stray) ? beyond : random.below(2 * room) - room;
		if (isWide) indices[lane + 1] = (indices[lane] as number) >> 31;
	}
	setYmm(c, addressing.index, new Uint32Array(indices.buffer));
}

/** A count in each lane of the second source. */
function setVectorCounts(c: CaseBuilder): void {
	const {random} = c;
	if (random.oneIn(4)) return;
	const counts = Uint32Array.from({length: 8}, (_, lane) => {
		// Of 64 bits the upper half is mostly 0.
		return lane % 2 === 1 && random.oneIn(2) ? 0 : interestingCount(random.pick([32, 64]), random);
	});
	if (!c.isMemory) setXmm(c, c.rm, counts);
	else for (const [lane, count] of counts.entries()) c.poke(c.target + BigInt(4 * lane), 4, BigInt(count));
}

/** Strings over few characters, so that parts of them are the same; some end with zero, others by the lengths in RAX and RDX. */
function setComparedStrings(c: CaseBuilder): void {
	const {random} = c;
	const characters = [0, 0x41, 0x42, 0x43, 0x80, 0xff];
	const text = (): Uint8Array => {
		const first = random.oneIn(3) ? 0 : 1;
		const isWide = random.oneIn(2);
		return Uint8Array.from({length: 16}, (_, index) => {
			if (isWide && index % 2 === 1) return random.oneIn(16) ? 1 : 0;
			return characters[first + random.below(first + 2)] as number;
		});
	};
	setXmm(c, c.reg, new Uint32Array(text().buffer));
	const other = text();
	if (!c.isMemory) setXmm(c, c.rm, new Uint32Array(other.buffer));
	else for (const [index, byte] of other.entries()) c.poke(c.target + BigInt(index), 1, BigInt(byte));
	for (const register of [rax, rdx]) {
		if (!c.isFixed(register) && !random.oneIn(4))
			c.slot.gpr[register] = BigInt.asUintN(64, BigInt(random.below(40) - 20));
	}
}

export const roles: Readonly<Record<Role, RoleActions>> = {
	address: {},
	arctangent: {registers: setArctangent},
	bitField: {registers: setBitField},
	bitOffset: {registers: setBitOffset},
	branch: {registers: (c) => c.chooseBranchTarget(c.form.operands[0]?.bytes === 4)},
	callNear: {
		registers: (c) => {
			const isOfStack = c.random.oneIn(2);
			c.chooseBranchTarget(!isOfStack);
			c.isFaulting &&= isOfStack;
			c.placeStack();
		},
	},
	callIndirect: {
		registers: (c) => {
			setIndirectTarget(c);
			c.isFaulting &&= c.isMemory;
			c.placeStack();
		},
		contents: pokeIndirectTarget,
	},
	compareExchange: {contents: setEqual},
	compareExchangePair: {contents: setPairEqual},
	convertMmx: {registers: setConvertedMmx},
	count: {registers: setCount},
	divide: {registers: setDividend},
	enter: {registers: setFrame},
	exponential: {registers: setPower},
	gather: {contents: setIndices},
	jumpIndirect: {registers: setIndirectTarget, contents: pokeIndirectTarget},
	leave: {registers: setLeaveFrame},
	loadControl: {contents: setControlOperand},
	loadEnvironment: {contents: setEnvironment},
	loadMxcsr: {contents: setMxcsrOperand},
	logarithm: {registers: setLogarithm},
	logarithmNearOne: {registers: setNearOne},
	loop: {registers: setLoopCount},
	maskedMove: {},
	maskedStore: {registers: setMaskedStore},
	packedCount: {contents: setPackedCount},
	popFlags: {registers: (c) => c.placeStack(), contents: setFlagsImage},
	popOperand: {
		registers: (c) => {
			c.stackBias = BigInt(pushed(c));
			c.placeStack();
		},
	},
	remainder: {registers: setRemainder},
	return: {
		registers: (c) => {
			c.chooseBranchTarget(false);
			c.placeStack();
		},
		contents: (c) => c.poke(c.register(rsp), 8, BigInt(c.branchTarget)),
	},
	scale: {registers: setScale},
	stack: {registers: (c) => c.placeStack()},
	storeEnvironment: {},
	string: {registers: setStrings},
	stringCompare: {contents: setComparedStrings},
	translate: {registers: setTableLookup},
	trigonometric: {registers: setAngle},
	vectorCounts: {contents: setVectorCounts},
};
