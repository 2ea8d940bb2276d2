import {f64, i32, type ViewOf, wire} from '#support/wire';

/** The words a vCPU's thread shares with the machine's owner. One per vCPU. */
export const VcpuControl = wire('vcpu-control', {
	/** 1 while the owner wants the vCPU out of the guest. Set by the owner before it kicks. */
	stopRequested: i32,
	/** Commands for the thread on its way: bits of {@link VcpuCommand}. Set by the owner before it kicks, taken by the thread. */
	commands: i32,
	/** 1 while the thread is inside its run loop. */
	running: i32,
	/** Exits by kind, for inspect. */
	portExits: f64,
	mmioExits: f64,
	msrExits: f64,
	interruptedExits: f64,
	otherExits: f64,
});

/** Commands that a vCPU's thread carries out without leaving its run loop, so that no other vCPU has to stop for it. */
export const VcpuCommand = {
	/** Queue a non-maskable interrupt. */
	NMI: 1 << 0,
} as const;

/** Place of a vCPU's {@link VcpuControl}. */
export interface VcpuControlPlace {
	readonly buffer: SharedArrayBuffer;
	readonly byteOffset: number;
}

export type VcpuControlView = ViewOf<typeof VcpuControl>;
