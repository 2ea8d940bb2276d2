/** Segment registers and their descriptors, stacks of far transfers, tasks, and virtual-8086 mode. */

export {FarStack} from './far-stack.ts';
export {readSystem, switchStack} from './inner-stack.ts';
export type {InterruptParts} from './interrupt-parts.ts';
export {Segments} from './segments.ts';
export {switchTask} from './task-switch.ts';
export {
	hasVirtualInterrupt,
	ioplOf,
	isVirtual,
	setVirtualFlags,
	usesVirtualFlags,
	virtualImage,
} from './virtual-flags.ts';
export {enterVirtual, isRedirected, redirect} from './virtual-mode.ts';
