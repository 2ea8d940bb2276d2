import {array, i32, u8, u32, u64, type ViewOf, wire} from '#support/wire';

/** States of {@link VcpuSample}. */
export const sampleState = {idle: 0, asked: 1, answered: 2} as const;

/** Frames of a sample at most. */
export const maxFrames = 64;

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
});

export type VcpuSampleView = ViewOf<typeof VcpuSample>;

/** What a processor was doing at one moment. */
export interface Sample {
	readonly isWaiting: boolean;
	readonly isUser: boolean;
	readonly space: bigint;
	readonly frames: readonly bigint[];
}
