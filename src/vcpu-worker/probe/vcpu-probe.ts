import {bytes, i32, u32, type ViewOf, wire} from '#support/wire';

/** States of {@link VcpuProbe}. */
export const probeState = {idle: 0, asked: 1, answered: 2} as const;

/** Channel by which a vCPU's thread says what the processor is doing, for whoever asks while it runs. One per vCPU. */
export const VcpuProbe = wire('vcpu-probe', {
	/** The asker sets `asked` and kicks; the vCPU's thread answers between two instructions. */
	state: i32,
	/** Bytes of {@link text} that are the answer. */
	length: u32,
	/** JSON in UTF-8; 64-bit numbers are hexadecimal text. */
	text: bytes(16384),
});

export type VcpuProbeView = ViewOf<typeof VcpuProbe>;

/** Report of what a processor is doing, as plain data: registers and what else the back end knows of it. */
export type CpuReport = Readonly<Record<string, unknown>>;
