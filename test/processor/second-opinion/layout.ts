import {array, reserved, u8, u32, wire} from '#support/wire';

/** Where what the driver and its cases use is in memory. Cases reach the three windows only, and what no page table maps. */
export const memory = {
	/** Vectors of real mode, and the driver's code that real mode executes. */
	realVectors: 0,
	realCode: 0x1000,
	/** Copy of the case that runs, and what a case of real mode has left. */
	current: 0x1c00,
	realResult: 0x1e00,
	descriptors: 0x2000,
	gates: 0x2800,
	task: 0x3000,
	localDescriptors: 0x3800,
	pageDirectory: 0x4000,
	pageTable: 0x5000,
	/** A stack by a flat segment. */
	flatStack: 0x8000,
	data: 0x2_0000,
	code: 0x3_0000,
	stack: 0x4_0000,
	driver: 0x6_0000,
	driverStack: 0x7_1000,
	cases: 0x10_0000,
} as const;

/** Offset in the windows of data and stack around which operands lie, and how many bytes are compared from there on. */
export const zone = {offset: 0x7fe0, bytes: 64} as const;
/** Offset of a case's code in its window, which is full of INT3. */
export const codeOffset = 0x100;
export const codeBytes = 32;

/** How the driver enters a case. */
export const Entry = {inner: 0, outer: 1, real: 2} as const;

/** A case as the driver takes it: registers as POPAD and IRETD take them. */
export const CaseInput = wire('CaseInput', {
	/** EDI, ESI, EBP, none, EBX, EDX, ECX, EAX. */
	general: array(u32, 8),
	eip: u32,
	cs: u32,
	eflags: u32,
	esp: u32,
	ss: u32,
	/** ES, DS, FS, GS of virtual-8086 mode. */
	virtualSegments: array(u32, 4),
	entry: u32,
	/** DS, ES, FS, GS of other modes. */
	segments: array(u32, 4),
	/** Linear address of the stack, of privilege 0 and of real mode. */
	stackAt: u32,
	/** Stack pointer less what IRET takes, and SS, for LSS. */
	stackBefore: u32,
	stackBeforeSegment: u32,
	code: array(u8, codeBytes),
	data: array(u8, zone.bytes),
	stack: array(u8, zone.bytes),
	padding: reserved(60),
}).sized(320);

/** What a case has left, as the driver's handler finds it on its stack. */
export const CaseResult = wire('CaseResult', {
	/** GS, FS, ES, DS. */
	segments: array(u32, 4),
	/** EDI, ESI, EBP, ESP of the handler, EBX, EDX, ECX, EAX. */
	general: array(u32, 8),
	vector: u32,
	errorCode: u32,
	eip: u32,
	cs: u32,
	eflags: u32,
	/** Where privilege changes. */
	esp: u32,
	ss: u32,
	virtualSegments: array(u32, 4),
	cr2: u32,
	/** SS of the handler. */
	handlerSs: u32,
	padding: reserved(128 - 16 - 32 - 28 - 16 - 8),
	data: array(u8, zone.bytes),
	stack: array(u8, zone.bytes),
}).sized(256);

/** Selectors of the driver, and of its cases: base and limit are those of a window if nothing is said. */
export const Selector = {
	driverCode: 0x08,
	flat: 0x10,
	data: 0x18,
	flatOuter: 0x20,
	stack16Outer: 0x28,
	stack32Outer: 0x30,
	stack32: 0x38,
	stack16: 0x40,
	code32: 0x48,
	code32Outer: 0x50,
	code16: 0x58,
	code16Outer: 0x60,
	readOnly: 0x68,
	executeOnly: 0x70,
	absent: 0x78,
	localTable: 0x80,
	task: 0x88,
	idleTask: 0x90,
	conforming: 0x98,
	innerData: 0xa0,
	absentCode: 0xa8,
	/** 16-bit code from 0 on, from which the driver goes to real mode. */
	driverCode16: 0xb0,
	/** Data of 64 KiB, as real mode has it. */
	realData: 0xb8,
	/** Call gates: to inner code of 32 and 16 bits, to outer code, and one that is not present. */
	gate32: 0xc0,
	gate16: 0xc8,
	outerGate: 0xd0,
	absentGate: 0xd8,
	localData: 0x04,
	localCode: 0x0c,
	localAbsent: 0x14,
} as const;
/** Bytes of an entry, and of all of the driver's descriptors. */
export const descriptorBytes = 0xe0;
export const gateCount = 64;
