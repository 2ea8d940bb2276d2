import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu} from '#vcpu-worker/software/mmu';
import type {Interrupts} from '#vcpu-worker/software/system/interrupts';
import type {DebugUnit, Features, ModelRegisters, Outside} from '#vcpu-worker/software/system/registers';
import type {Segments} from '#vcpu-worker/software/system/segmentation';

/** The parts of a processor that its instructions work on. */
export interface Parts {
	readonly core: Core;
	readonly mmu: Mmu;
	readonly segments: Segments;
	readonly interrupts: Interrupts;
	readonly msrs: ModelRegisters;
	readonly features: Features;
	readonly outside: Outside;
	readonly debug: DebugUnit;
}

/** How code goes on after an instruction that TypeScript has carried out; RIP is already behind it. */
export type After =
	/** With the next instruction. */
	| 'next'
	/** So, and what follows it knows what the instruction has changed: interrupts stay away for one instruction. */
	| 'shadow'
	/** It is not done yet: it begins anew, with what is left, when others have had a look. */
	| 'again'
	/** The processor waits for an interrupt. */
	| 'halt';
