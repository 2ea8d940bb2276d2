import {type Int, i32, i64} from '#support/wasm';
import type {Meaning, Operation} from './operation.ts';

/** Bits of RFLAGS beside the status flags (SDM volume 1, 3.4.3). */
const Flag = {
	...{reserved: 2, TF: 0x100, IF: 0x200, IOPL: 0x3000, NT: 0x4000, RF: 0x1_0000, VM: 0x2_0000, AC: 0x4_0000},
	...{VIF: 0x8_0000, VIP: 0x10_0000, status: 0x8d5},
} as const;
/** Bits of R11 that SYSRET makes flags: not RF, VM and reserved ones. */
const returnable = 0x3c_7fd7;
/** Those that IRET takes off the stack of privilege 0; RF has had its effect before anybody looks. */
const takenOff = 0x3c_7700;
/** Flags with which the processor goes on otherwise: they are left to TypeScript. */
const special = Flag.TF | Flag.VM | Flag.VIF | Flag.VIP;
/** Privilege 3, which is also what a selector asks for. */
const user = 3;
const stackPointer = 4;
const Register = {counter: 1, flags: 11} as const;
const Segment = {ES: 0, CS: 1, SS: 2, DS: 3, FS: 4, GS: 5} as const;
/** A selector's bit for the local table, and how many bits its index has below. */
const tableIndicator = 4;
/** Attributes of flat segments, at privilege 0: code of 64 bits, data (SDM volume 3, 5.8.8). */
const flat = {code: 0xa09b, data: 0xc093, limit: i64(0xffff_ffffn)} as const;
/** Descriptors whose segments are these, present and accessed. Any other that may mean as much is for TypeScript. */
const flatCode = 0x00af_9b00_0000_ffffn;
const flatData = 0x00cf_9300_0000_ffffn;
/** A descriptor's privilege, in attributes and in the descriptor. */
const attributesPrivilege = 0x60;
const descriptorPrivilege = 0x6000_0000_0000n;

/** Its vector, a gate in bytes, and the frame with an error code (SDM volume 3, 6.14.1 and 6.14.2). */
const pageFault = {vector: 14, gateBytes: 16, frame: 48} as const;
/** What of a gate says that it is present, and of which type. */
const gateType = {mask: 0x9f, interrupt: 0x8e, trap: 0x8f} as const;
/** Where the task-state segment has the stack of privilege 0 (SDM volume 3, figure 8-11). */
const stackInTask = 4;

const has = (value: Int<'i32'>, bits: number): Int<'i32'> => value.and(bits).ne(0);
const lacks = (value: Int<'i32'>, bits: number): Int<'i32'> => value.and(bits).isZero();

/** At privilege 0: POPF changes IOPL there alone. */
const isSupervisor = (op: Operation): Int<'i32'> => has(op.poppableFlags(), Flag.IOPL);
/** The privilege lets code change IF. */
const isOwner = (op: Operation): Int<'i32'> => has(op.poppableFlags(), Flag.IF);

/** EFER.SCE. */
const enablesCalls = (op: Operation): Int<'i32'> => has(op.system.register('efer').toI32(), 1);

/** Sets all flags. */
function setFlags(op: Operation, bits: Int<'i32'>): void {
	op.flags.setBits(bits.toI64U());
	op.setControlFlags(bits.and(~Flag.status).or(Flag.reserved));
}

/** Loads CS and SS, of which SYSCALL and SYSRET do not read the descriptors. */
function enterFlat(op: Operation, code: Int<'i32'>, stack: Int<'i32'>, privilege: 0 | 3): void {
	const dpl = privilege === user ? attributesPrivilege : 0;
	op.system.setSegment(Segment.CS, code, flat.limit, i32(flat.code | dpl));
	op.system.setSegment(Segment.SS, stack, flat.limit, i32(flat.data | dpl));
}

function setAccess(op: Operation, change: (flags: Int<'i32'>) => Int<'i32'>): void {
	op.system.leaveUnless(isSupervisor(op));
	op.setControlFlags(change(op.controlFlags()));
	op.system.apply(0, op.controlFlags());
}

/** SYSCALL from 64-bit code (SDM volume 2). */
function syscall(op: Operation): void {
	const {f, system} = op;
	system.leaveUnless(system.goesOn().and(enablesCalls(op)));
	const flags = f.let(op.flags.bits().toI32().or(op.controlFlags()).and(~Flag.RF));
	const selector = f.let(system.register('star').shrU(32).toI32().and(0xfffc));
	op.writeRegister(Register.counter, 64, op.nextAddress());
	op.writeRegister(Register.flags, 64, flags.toI64U());
	const left = f.let(flags.and(system.register('fmask').toI32().not()));
	setFlags(op, left);
	enterFlat(op, selector, selector.add(8), 0);
	system.apply(0, left);
	op.jumpTo(system.register('lstar'));
}

/** SYSRET to 64-bit code. */
function sysret(op: Operation): void {
	const {f, system} = op;
	const flags = f.let((op.readRegister(Register.flags, 32) as Int<'i32'>).and(returnable).or(Flag.reserved));
	system.leaveUnless(system.goesOn().and(enablesCalls(op)).and(isSupervisor(op)).and(lacks(flags, special)));
	const selector = f.let(system.register('star').shrU(48).toI32().and(0xfffc));
	const target = f.let(op.readRegister(Register.counter, 64) as Int<'i64'>);
	enterFlat(op, selector.add(16).or(user), selector.add(8).or(user), user);
	setFlags(op, flags);
	system.apply(user, flags);
	op.jumpTo(target);
}

/** The descriptor that a selector names, if it is in the global table. */
function descriptorOf(op: Operation, selector: Int<'i32'>): Int<'i64'> {
	const {system} = op;
	const last = selector.or(7).toI64U();
	system.leaveUnless(lacks(selector, tableIndicator).and(last.leU(system.register('tableLimit'))));
	return system.knownMemory(system.register('tableBase').add(selector.and(~7).toI64U()));
}

/** A flat descriptor at a privilege of 0 or 3. */
const atPrivilege = (descriptor: bigint, privilege: Int<'i32'>): Int<'i64'> =>
	privilege.select(i64(descriptor | descriptorPrivilege), i64(descriptor));

/** Upper bits of an address of 48 bits are its sign; of more with five levels TypeScript knows. */
const hasSign = (address: Int<'i64'>): Int<'i32'> => address.shl(16).shrS(16).eq(address);

/** IRET of 64-bit code at privilege 0 to 64-bit code with flat segments, of privilege 0 or 3 (SDM volume 2). */
function iret(op: Operation): void {
	const {f, system} = op;
	const before = f.let(op.controlFlags());
	system.leaveUnless(
		system
			.goesOn()
			.and(isSupervisor(op))
			.and(lacks(before, Flag.NT | Flag.AC)),
	);
	const top = f.let(op.readRegister(stackPointer, 64) as Int<'i64'>);
	const taken = (at: number) => f.let(system.knownMemory(top.add(at)));
	const [target, code, flags, pointer, stack] = [taken(0), taken(8), taken(16), taken(24), taken(32)];
	const image = f.let(flags.toI32());
	const [cs, ss] = [f.let(code.toI32().and(0xffff)), f.let(stack.toI32().and(0xffff))];
	const privilege = f.let(cs.and(user));
	const isKnown = privilege.isZero().or(privilege.eq(user)).and(cs.gtU(user));
	system.leaveUnless(lacks(image, special).and(isKnown).and(hasSign(target)));
	system.leaveUnless(descriptorOf(op, cs).eq(atPrivilege(flatCode, privilege)));
	const hasStack = f.let(ss.gtU(user));
	f.if(
		hasStack,
		() =>
			system.leaveUnless(
				ss
					.and(user)
					.eq(privilege)
					.and(descriptorOf(op, ss).eq(atPrivilege(flatData, privilege))),
			),
		// SS may be null at privilege 0.
		() => system.leaveUnless(ss.or(privilege).isZero()),
	);
	f.if(privilege, () => {
		// Data segments that the program must not have become null: TypeScript does that.
		for (const segment of [Segment.ES, Segment.DS, Segment.FS, Segment.GS]) {
			const attributes = f.let(system.attributes(segment));
			system.leaveUnless(attributes.isZero().or(attributes.and(attributesPrivilege).eq(attributesPrivilege)));
		}
	});
	const dpl = f.let(privilege.shl(5));
	system.setSegment(Segment.CS, cs, flat.limit, dpl.or(flat.code));
	const limit = hasStack.select(flat.limit, i64(0));
	system.setSegment(Segment.SS, ss, limit, hasStack.select(dpl.or(flat.data), i32(0)));
	op.writeRegister(stackPointer, 64, pointer);
	op.flags.setBits(flags);
	const after = f.let(before.and(~(takenOff | Flag.RF)).or(image.and(takenOff)));
	op.setControlFlags(after);
	f.if(
		privilege,
		() => system.apply(user, after),
		() => system.apply(0, after),
	);
	op.jumpTo(target);
}

/**
 * Enters the handler of a page fault of 64-bit code with privilege 0 or 3, as the usual case has it: privilege 0, a flat segment, the stack of the
 * task-state segment or the present one; gate, descriptor, pointer and frame in memory that the TLB knows (SDM volume 3, 6.14). The step is the one that
 * has faulted. All else has done nothing, and is left.
 */
export function enterPageFault(op: Operation): void {
	const {f, system} = op;
	const isUser = f.let(system.isUser());
	system.leaveUnless(
		system
			.goesOn()
			.and(system.exception().eq(pageFault.vector))
			.and(system.isLongCode())
			.and(isUser.or(isSupervisor(op))),
	);
	const at = pageFault.vector * pageFault.gateBytes;
	system.leaveUnless(system.register('interruptLimit').geU(BigInt(at + pageFault.gateBytes - 1)));
	const gateAt = f.let(system.register('interruptBase').add(at));
	const gate = f.let(system.knownMemory(gateAt));
	const type = f.let(gate.shrU(40).toI32().and(gateType.mask));
	const isGate = type.eq(gateType.interrupt).or(type.eq(gateType.trap));
	const selector = f.let(gate.shrU(16).toI32().and(0xfffc));
	const usesOwnStack = gate.shrU(32).and(7).isZero();
	system.leaveUnless(isGate.and(usesOwnStack).and(selector.ne(0)));
	system.leaveUnless(descriptorOf(op, selector).eq(flatCode));
	const targetHigh = system.knownMemory(gateAt.add(8)).shl(32);
	const target = f.let(gate.and(0xffff).or(gate.shrU(32).and(0xffff_0000n)).or(targetHigh));
	const top = f.local('i64');
	f.if(
		isUser,
		() => {
			system.leaveUnless(system.register('taskLimit').geU(stackInTask + 7));
			f.set(top, system.knownMemory(system.register('taskBase').add(stackInTask)));
		},
		() => f.set(top, op.readRegister(stackPointer, 64) as Int<'i64'>),
	);
	const before = f.let(op.controlFlags().or(Flag.RF));
	const image = op.flags.bits().or(before.toI64U());
	const [code, stack] = [system.selector(Segment.CS).toI64U(), system.selector(Segment.SS).toI64U()];
	const pointer = op.readRegister(stackPointer, 64) as Int<'i64'>;
	const frame = f.let(top.and(~15n).sub(pageFault.frame));
	system.storeFrame(frame, [system.errorCode().toI64U(), op.ownAddress(), code, image, pointer, stack]);
	system.setSegment(Segment.CS, selector, flat.limit, i32(flat.code));
	f.if(isUser, () => system.setSegment(Segment.SS, i32(0), i64(0), i32(0)));
	op.writeRegister(stackPointer, 64, frame);
	const cleared = Flag.TF | Flag.NT | Flag.RF | Flag.VM;
	const after = f.let(before.and(type.eq(gateType.interrupt).select(i32(~(cleared | Flag.IF)), i32(~cleared))));
	op.setControlFlags(after);
	system.apply(0, after);
	op.jumpTo(target);
}

/** Bases of FS and GS are for programs and kernels where CR4.FSGSBASE says so. */
const enablesBases = (op: Operation): Int<'i32'> => has(op.system.register('cr4').toI32(), 0x1_0000);

function readBase(op: Operation, segment: number): void {
	op.system.leaveUnless(enablesBases(op));
	op.write('a', op.system.base(segment));
}

function writeBase(op: Operation, segment: number): void {
	const base = op.f.let(op.read('b') as Int<'i64'>);
	op.system.leaveUnless(enablesBases(op).and(hasSign(base)));
	op.system.setBase(segment, base);
}

/** Instructions of the system that kernels have most of, in their usual cases; others are left to TypeScript (SDM volume 2). */
export const systemMeanings: Readonly<Record<string, Meaning>> = {
	/** An interrupt that waits comes in before it, if it may: TypeScript looks. */
	cli: (op) => {
		op.system.leaveUnless(isOwner(op).and(op.system.goesOn().or(lacks(op.controlFlags(), Flag.IF))));
		op.setControlFlags(op.controlFlags().and(~Flag.IF));
	},
	/** Others are looked at where a block ends: interrupts stay away for the next instruction if that is in the same one. */
	sti: (op) => {
		op.system.leaveUnless(isOwner(op).and(op.system.goesOn()).and(op.system.endsBehind().isZero()));
		op.setControlFlags(op.controlFlags().or(Flag.IF));
	},
	clac: (op) => setAccess(op, (flags) => flags.and(~Flag.AC)),
	stac: (op) => setAccess(op, (flags) => flags.or(Flag.AC)),
	swapgs: (op) => {
		op.system.leaveUnless(isSupervisor(op));
		const base = op.f.let(op.system.base(Segment.GS));
		op.system.setBase(Segment.GS, op.system.register('kernelGsBase'));
		op.system.setRegister('kernelGsBase', base);
	},
	syscall,
	sysret,
	iret,
	readFsBase: (op) => readBase(op, Segment.FS),
	readGsBase: (op) => readBase(op, Segment.GS),
	writeFsBase: (op) => writeBase(op, Segment.FS),
	writeGsBase: (op) => writeBase(op, Segment.GS),
	movFromControl: (op) => {
		op.system.leaveUnless(isSupervisor(op));
		op.write('a', op.read('b'));
	},
};

/** Those that end a block. */
export const systemJumps: ReadonlySet<string> = new Set(['syscall', 'sysret', 'iret']);
/** Those behind which accesses go by other entries of the TLB. */
export const classChanges: ReadonlySet<string> = new Set(['clac', 'stac']);
