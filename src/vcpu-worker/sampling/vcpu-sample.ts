import {array, bytes, i32, u8, u32, u64, type ViewOf, wire} from '#support/wire';

/** States of {@link VcpuSample}. */
export const sampleState = {idle: 0, asked: 1, answered: 2} as const;

/** Frames of a sample at most. */
export const maxFrames = 64;

/** Bytes of a kernel's stack that a sample has at most. */
export const maxStackBytes = 4096;

/** Channel by which a vCPU's thread says where in its guest's code the processor is, again and again. One per vCPU. */
export const VcpuSample = wire('vcpu-sample', {
	/** The asker sets `asked` and kicks; the vCPU's thread answers between two instructions. */
	state: i32,
	/** Frames of {@link frames}. */
	count: u32,
	/** 1 while the processor waits for an interrupt, or to be started. */
	isWaiting: u8,
	/** 1 at privilege 3. */
	isUser: u8,
	/** Register CR3: the address space. */
	space: u64,
	/** Linear addresses: of the instruction that it executes, then of each call that it is in, from the inside. */
	frames: array(u64, maxFrames),
	/** Linear address of the next instruction, RSP and RBP. */
	next: u64,
	stackPointer: u64,
	framePointer: u64,
	/** 1 where the instruction of the first frame is a return, which has been executed. */
	hasReturned: u8,
	/** Bytes of {@link stack}: from RSP on, of 64-bit code in the kernel's half of addresses. */
	stackBytes: u32,
	stack: bytes(maxStackBytes),
});

export type VcpuSampleView = ViewOf<typeof VcpuSample>;

/** The stack of a kernel at one moment, and what a walk begins with. */
export interface KernelStack {
	/** Linear address of the next instruction. */
	readonly next: bigint;
	/** RSP, from which on there are {@link bytes}. */
	readonly pointer: bigint;
	/** RBP. */
	readonly frame: bigint;
	readonly bytes: Uint8Array;
	/** The instruction of the sample's first frame is a return, which has been executed. */
	readonly hasReturned: boolean;
}

/** What a processor was doing at one moment. */
export interface Sample {
	readonly isWaiting: boolean;
	readonly isUser: boolean;
	readonly space: bigint;
	readonly frames: readonly bigint[];
	/** A kernel's stack, for whoever knows how its code uses it. */
	readonly stack?: KernelStack;
}
