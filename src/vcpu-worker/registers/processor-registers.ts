import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';

/** The registers of a stopped processor that a debugger or a dump shows. */
export interface ProcessorRegisters {
	readonly general: GeneralRegisters;
	readonly special: SpecialRegisters;
	/** x87, MMX and SSE in the layout of FXSAVE, 512 bytes (Intel SDM vol. 1, 10.5.1). */
	readonly fxsave: Uint8Array;
	/** The upper halves of YMM0 to YMM15, 16 bytes each: the AVX part of an XSAVE area (Intel SDM vol. 1, 13.5.3). */
	readonly ymmHigh: Uint8Array;
	/** IA32_KERNEL_GS_BASE: what SWAPGS exchanges with the base of GS. */
	readonly kernelGsBase: bigint;
	/** Activity of the processor when it runs: it executes, waits in HLT, or waits for its start-up message. */
	readonly activity: 'running' | 'halted' | 'waiting for start-up';
}

/** Registers that a debugger changes: what is not named stays as it is. */
export type RegisterChanges = Partial<Omit<ProcessorRegisters, 'activity'>>;
