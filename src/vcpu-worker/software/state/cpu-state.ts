import {array, f64, i32, i64, reserved, u8, u16, u32, u64, wire} from '#support/wire';

/** A segment register with its hidden part (Intel SDM volume 3, 3.4.3). */
export const SegmentState = wire('SegmentState', {
	base: u64,
	/** Highest offset, in bytes. */
	limit: u32,
	/** Bits 8 to 23 of a descriptor's second doubleword. */
	attributes: u16,
	selector: u16,
}).sized(16);

/** A descriptor table register. */
export const TableState = wire('TableState', {base: u64, limit: u32, reserved: u32}).sized(16);

/**
 * A register of the x87, a number of 80 bits (Intel SDM volume 1, 8.1.2). Its significand is an MMX register, which is written with an
 * exponent of ones (9.2.2).
 */
export const X87Register = wire('X87Register', {significand: u64, signExponent: u16, padding: reserved(6)}).sized(16);

/** RAM that follows each other in physical addresses, and in the memory that all of it is in. */
export const RamPart = wire('RamPart', {begin: u64, bytes: u64, place: u64});
/** Parts that generated code knows. With more TypeScript walks. */
export const walkedParts = 4;

/** A processor's translations, for people. */
export const TranslationCounts = wire('TranslationCounts', {
	/** Functions that it has taken since it began, and that it does not use any more: their code has changed, or there was no room. */
	made: f64,
	dropped: f64,
	/** Functions that it has. */
	present: u32,
	/** Hot blocks that wait for theirs, and executions after which a block is hot; 0 where none is. */
	waiting: u32,
	hotAfter: u32,
	/** WebAssembly of the modules that they are of, and the most that is made for a machine. */
	bytes: u32,
	maxBytes: u32,
	padding: reserved(4),
});

/** What lockstep has compared, for people. */
export const LockstepCounts = wire('LockstepCounts', {
	/** Translations that code has entered. */
	translations: f64,
	/** Runs that were compared, and their instructions. */
	rounds: f64,
	instructions: f64,
	/** Runs that end where the interpreter cannot stop. */
	uncompared: f64,
	/** Runs that were not alike, and were when both began with an empty TLB: for what a device has written meanwhile, for one. */
	repeated: f64,
	differences: f64,
});

/**
 * A processor's registers as generated code, TypeScript, the debugger and snapshots see them. It lies at address 0 of the
 * processor's own memory, so that generated code names a register by a constant.
 */
export const CpuState = wire('CpuState', {
	/** RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15. */
	general: array(u64, 16),
	/**
	 * Status flags as the last instruction left them, not yet as bits. SF is the sign of `result`, PF the parity of its low byte.
	 */
	result: i64,
	/** ZF is set where this is 0: `result` itself, but after POPF and its like. */
	zero: i64,
	/** Carries out of each bit: bit 63 is CF, bit 62 the carry into the highest bit, so that both differ where OF is set; bit 3 is AF. */
	carry: i64,
	/** Linear address of the page that the current block of code is in. */
	codePage: u64,
	/** `codePage` as an offset in the code segment. */
	codePageOffset: u64,
	/** Greatest `codePageOffset` of pages that are in the code segment whole: blocks of others are not executed. */
	codeLimit: i64,
	/** Always 0: what an address without a base or index adds. */
	none: u64,
	/** Values that an instruction has between its steps. */
	scratch: array(u64, 8),
	/** Linear address that a step has left for the next ones. */
	address: u64,
	/** Value that an access reads or writes which the TLB does not serve. */
	transfer: array(u64, 2),
	/** Operands of floating point that generated code leaves to exact arithmetic, the one behind the other, and their result: of 128 or 256 bits. */
	floatOperands: array(u64, 12),
	floatResult: array(u64, 4),
	/** Operands of a subtraction that tells the flags, from one translation to another. */
	lateFlags: array(u64, 2),
	/** The host rounds a product with a sum once where generated code asks for it: 0 or 1. */
	fusesProducts: u32,
	floatPadding: reserved(4),
	/** Constants of generated code: the least normal numbers, in a vector of singles and in one of doubles. */
	leastNormals: array(u64, 4),
	/** What of RSP and RBP counts as offset in the stack. */
	stackMask: u64,
	/** RIP of the next instruction, while no code runs. */
	rip: u64,
	/** RFLAGS but for the status flags. */
	controlFlags: u32,
	/** Those of them that POPF changes at the present privilege. */
	poppableFlags: u32,
	/** Exception of instructions on XMM registers, as control registers have it; 0 where they may be executed. */
	vectorFault: u32,
	/** The same of instructions on MMX registers, and of the x87's. */
	mmxFault: u32,
	/** Reason for the end of code; see `Stop`. */
	stop: u32,
	/** Record at which it ended. */
	record: u32,
	/** Exception that ended it, and its error code. */
	vector: u32,
	errorCode: u32,
	/** Instructions that may run before the next stop. */
	budget: i32,
	/** Not 0 where another thread wants something: set by it, cleared by whoever drives the processor. */
	request: i32,
	/** What of the mode decides on how bytes are decoded and whether they may be fetched; see `jumpEntry`. */
	modeKey: u32,
	x87Fault: u32,
	/** The same of FWAIT. */
	waitFault: u32,
	/** The same of instructions with a VEX prefix on general registers, and on vectors. */
	vexFault: u32,
	avxFault: u32,
	/** Not 0 where PUSHF and POPF are for TypeScript: in virtual-8086 mode with an IOPL below 3. */
	flagsAreVirtual: u32,
	/** Address of the TLB entries that accesses go by in the present mode. */
	tlb: u32,
	/** 1 where instructions of the system may be carried out amid code: no interrupt waits, and nothing is watched. */
	goesOn: u32,
	/** Not 0 where blocks are executed by their translations, and counted until they have some. */
	translates: u32,
	/** Not 0 where code that runs has written what had been decoded. */
	codeChanged: u32,
	/** What is of the present address space: the address of TLB entries of accesses at privilege 3, and what `modeKey` has there beside the size of code. */
	userTlb: u32,
	userKey: u32,
	/** How far the index of the first table is in a linear address that generated code walks for, with four levels or five; 0: TypeScript walks. */
	walkShift: u32,
	/** See `WalkRule`. */
	walkRules: u32,
	/** Physical address of the first table, and the bits of entries that are reserved at all levels. */
	walkRoot: u64,
	walkReserved: u64,
	/** Where RAM is, for walks; those that there are not are empty. */
	ram: array(RamPart, walkedParts),
	/** ES, CS, SS, DS, FS, GS, LDTR, TR. */
	segments: array(SegmentState, 8),
	gdtr: TableState,
	idtr: TableState,
	cr0: u64,
	cr2: u64,
	cr3: u64,
	cr4: u64,
	efer: u64,
	/** Model-specific registers of SYSCALL and SWAPGS. */
	star: u64,
	lstar: u64,
	fmask: u64,
	kernelGsBase: u64,
	xcr0: u64,
	/** DR0 to DR3, DR6 and DR7. */
	debug: array(u64, 8),
	mxcsr: u32,
	/** YMM0 to YMM15, whose lower halves are XMM0 to XMM15, in quarters from the lowest on. */
	vector256: array(u64, 64),
	/** By their physical numbers, as MMX names them: ST(0) is the one that TOP of the status says. */
	x87: array(X87Register, 8),
	/** Where the last instruction was that is not of control, and its operand in memory: offsets in their segments. */
	x87InstructionPointer: u64,
	x87DataPointer: u64,
	/** Control and status word (Intel SDM volume 1, 8.1.3 and 8.1.5). */
	x87Control: u16,
	x87Status: u16,
	/** A bit for each physical register that is not empty. */
	x87Tags: u8,
	x87Padding: reserved(1),
	/** The low 11 bits of that instruction's opcode. */
	x87Opcode: u16,
	/** Counters for people. Those that TypeScript counts one by one are no integers of 64 bits, each of which is an object to it. */
	instructions: u64,
	tlbMisses: f64,
	/** Operations of floating point by exact arithmetic, which costs a hundred times as much. */
	exactFloats: f64,
	exits: f64,
	decodedPages: f64,
	/** Looks for a block that the cache of blocks does not have. */
	blockMisses: f64,
	/** How often, since somebody has looked, accesses that go by one look lay across pages, and the table of the translation where they last did. */
	straddles: u32,
	straddler: u32,
	/** Table of the translation in which code ended that was about to leave it; 0 where none did so since somebody has looked. */
	crossing: u32,
	crossingPadding: reserved(4),
	/** Steps that are decoded, and those that there is room for. */
	steps: u32,
	maxSteps: u32,
	translations: TranslationCounts,
	lockstep: LockstepCounts,
});
