import {halt} from '#test/tmk';
import {flagsOf} from '#vcpu-worker/software/system';
import {type GuestProcessor, startKernel} from '../guest-processor.ts';
import * as legacy from '../legacy-machine.ts';
import * as long from '../raw-code.ts';
import {pieces16, pieces32, pieces64} from './border-sequences.ts';

/** A processor at a sequence, with handlers for what comes meanwhile. */
export interface BorderMachine extends GuestProcessor {
	/** Address of the sequence in memory, and what that is as RIP. */
	readonly at: number;
	readonly rip: bigint;
	/** What a handler that has just been entered returns to. */
	frame(): {readonly rip: bigint; readonly flags: number};
	/** Memory that interrupts may change: from, to. */
	readonly ignored: readonly (readonly [number, number])[];
}

/** A size of code with its pieces. */
export interface BorderMode {
	readonly name: string;
	readonly pieces: Readonly<Record<string, string>>;
	start(code: readonly number[]): BorderMachine;
}

/** Vectors of an interrupt from outside, and of the one that ends a HLT. */
export const borderVector = 0x50;
export const wakeVector = 0x51;
const nmiVector = 2;
const [intVector, breakpoint, undefinedOpcode] = [0x40, 3, 6];
const STAR = 0xc000_0081;
const [interruptGate, trapGate] = [0x8e, 0x8f];
const interruptFlag = 0x200;

/** PUSH (E)AX; XOR (E)AX,(E)AX; POP (E)AX; STD: what follows is IRET. It leaves flags that are not the program's. */
const clobber = [0x50, 0x31, 0xc0, 0x58, 0xfd];
const iretq = [0x48, 0xcf];
const iret = [0xcf];
const handlerStride = 32;

function start64(code: readonly number[]): BorderMachine {
	const guest = long.startBytes(code);
	const {processor, ram} = guest;
	const {state} = processor.core;
	const data = 0x24_0000;
	long.handle(guest, borderVector, []);
	const words = new BigUint64Array(ram.buffer);
	words.set([0x00cf_f300_0000_ffffn, 0x00af_fb00_0000_ffffn], long.descriptors / 8 + 4);
	state.gdtr.limit = 0x2f;
	// A non-maskable one may come while the other is handled: each has a stack.
	new DataView(ram.buffer).setBigUint64(long.task + 0x2c, BigInt(long.stackTop - 0x2000), true);
	const handlers: readonly (readonly [number, readonly number[], type: number, stack: number])[] = [
		[borderVector, [...clobber, ...iretq], interruptGate, 1],
		[wakeVector, [...clobber, ...iretq], interruptGate, 1],
		[nmiVector, [...clobber, ...iretq], interruptGate, 2],
		// INC dword [RBP+A0h].
		[intVector, [0xff, 0x85, 0xa0, 0, 0, 0, ...iretq], trapGate, 0],
		[breakpoint, iretq, trapGate, 0],
		// ADD qword [RSP],2.
		[undefinedOpcode, [0x48, 0x83, 0x04, 0x24, 2, ...iretq], interruptGate, 0],
	];
	for (const [index, [vector, bytes, type, stack]] of handlers.entries()) {
		const at = BigInt(long.handlerAt + index * handlerStride);
		ram.set(bytes, Number(at));
		words[long.gates / 8 + vector * 2] =
			(at & 0xffffn) |
			(BigInt(long.kernelCode) << 16n) |
			(BigInt(stack) << 32n) |
			(BigInt(type) << 40n) |
			((at >> 16n) << 48n);
	}
	for (const [index, segment] of state.segments.entries()) {
		if (index === 1 || index === 2) segment.selector = index * 8;
		// A return to privilege 3 would take away what is of privilege 0.
		else if (index < 6) Object.assign(segment, {limit: 0, attributes: 0});
	}
	processor.msrs.write(STAR, (0x1bn << 48n) | (8n << 32n));
	processor.msrs.write(0xc000_0084, BigInt(interruptFlag));
	state.general[5] = BigInt(data);
	state.cr4 |= 0x600n;
	return finish(guest, {
		at: long.codeAt,
		rip: BigInt(long.codeAt),
		frame: () => {
			const [rip = 0n, , flags = 0n] = new BigUint64Array(ram.buffer, Number(state.general[4]), 3);
			return {rip, flags: Number(flags)};
		},
		ignored: [
			[long.stackTop - 0x4000, long.stackTop - 0x1000],
			[long.tables, long.tables + 0x3000],
		],
	});
}

function start32(code: readonly number[]): BorderMachine {
	const [firstAt, secondAt, gatesAt, handlersAt, secondCode, secondStack, data] = [
		0x4000, 0x5000, 0x2000, 0x2_0000, 0x3000, 0x8000, 0x3_0000,
	] as const;
	const firstSelector = 0x18;
	const {descriptor, kernelCode, kernelData, stackTop} = legacy;
	const guest = legacy.startLegacy(code, {
		descriptors: [descriptor(firstAt, 0x67, 0x8b), descriptor(secondAt, 0x67, 0x89)],
	});
	const {processor, ram} = guest;
	const {state} = processor.core;
	Reflect.deleteProperty(processor.interrupts, 'raise');
	legacy.setTask(guest, firstAt, 0x67, 0x8b, firstSelector);
	const next = new Uint32Array(ram.buffer, secondAt, 26);
	next.set([secondCode, interruptFlag | 2], 8);
	next[14] = secondStack;
	next.set([kernelData, kernelCode, kernelData, kernelData], 18);
	// INC EAX; IRET; JMP -4.
	ram.set([0x40, 0xcf, 0xeb, 0xfc], secondCode);
	const gates = new BigUint64Array(ram.buffer, gatesAt, 256);
	const handlers = [
		[borderVector, [...clobber, ...iret], interruptGate],
		[wakeVector, [...clobber, ...iret], interruptGate],
		[nmiVector, [...clobber, ...iret], interruptGate],
		[intVector, [0xff, 0x45, 0x20, ...iret], trapGate],
	] as const;
	for (const [index, [vector, bytes, type]] of handlers.entries()) {
		ram.set(bytes, handlersAt + index * handlerStride);
		gates[vector] = legacy.gate(kernelCode, handlersAt + index * handlerStride, type);
	}
	Object.assign(state.idtr, {base: BigInt(gatesAt), limit: 0x7ff});
	state.general[5] = BigInt(data);
	return finish(guest, {
		at: legacy.codeAt,
		rip: BigInt(legacy.codeAt),
		frame: () => {
			const [rip = 0, , flags = 0] = new Uint32Array(ram.buffer, Number(state.general[4]), 3);
			return {rip: BigInt(rip), flags};
		},
		// Handlers have no stack of their own: what is below the stack pointer is theirs.
		ignored: [
			[stackTop - 0x400, stackTop],
			[secondStack - 0x400, secondStack],
			[data + 0x300, data + 0x400],
		],
	});
}

function start16(code: readonly number[]): BorderMachine {
	const [at, data, stackTop, handlersAt] = [0x1_0000, 0x3000, 0x7000, 0x2000];
	const guest = startKernel({...halt(), mode: 'real', entry: 0});
	const {processor, ram} = guest;
	const {state} = processor.core;
	ram.set(code, at);
	processor.segments.setReal(1, at >> 4);
	const handlers = [
		[borderVector, [...clobber, ...iret]],
		[wakeVector, [...clobber, ...iret]],
		[nmiVector, [...clobber, ...iret]],
		// INC word [BP+20h].
		[intVector, [0xff, 0x46, 0x20, ...iret]],
	] as const;
	for (const [index, [vector, bytes]] of handlers.entries()) {
		ram.set(bytes, handlersAt + index * handlerStride);
		new DataView(ram.buffer).setUint32(vector * 4, handlersAt + index * handlerStride, true);
	}
	state.general[4] = BigInt(stackTop);
	state.general[5] = BigInt(data);
	return finish(guest, {
		at,
		rip: 0n,
		frame: () => {
			const [ip = 0, , flags = 0] = new Uint16Array(ram.buffer, Number(state.general[4]), 3);
			return {rip: BigInt(ip), flags};
		},
		ignored: [
			[stackTop - 0x400, stackTop],
			[data + 0x100, data + 0x200],
		],
	});
}

/** Registers that pieces find are not zero, and interrupts are open. */
function finish(
	guest: GuestProcessor,
	machine: Pick<BorderMachine, 'at' | 'rip' | 'frame' | 'ignored'>,
): BorderMachine {
	const {processor} = guest;
	const {state} = processor.core;
	for (const register of [0, 1, 2, 3, 6, 7]) state.general[register] = BigInt(0x1234_5601 + register * 0x111);
	state.controlFlags |= interruptFlag;
	processor.changed();
	return Object.assign(guest, machine);
}

export const borderModes: readonly BorderMode[] = [
	{name: '64-bit', pieces: pieces64, start: start64},
	{name: '32-bit', pieces: pieces32, start: start32},
	{name: 'real mode', pieces: pieces16, start: start16},
];

/** True where interrupts are open. */
export const isOpen = (flags: number): boolean => (flags & interruptFlag) !== 0;

/** Flags of a machine. */
export const flagsNow = ({processor}: BorderMachine): number => flagsOf(processor.core.state);
