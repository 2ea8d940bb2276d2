import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu} from '#vcpu-worker/software/mmu';
import type {DebugUnit} from '#vcpu-worker/software/system/registers';
import type {Segments} from './segments.ts';

/** What stacks, tasks and interrupts work on. */
export interface InterruptParts {
	readonly core: Core;
	readonly mmu: Mmu;
	readonly segments: Segments;
	readonly debug: DebugUnit;
}
