/** The system part of the processor: modes, segments, exceptions, and the instructions that TypeScript carries out. */
export {applyMode, Cr0, Cr4, Efer, Flag} from './control-state.ts';
export {Attribute} from './descriptor.ts';
export type {Outside} from './outside.ts';
export {Processor, type ProcessorStop} from './processor.ts';
export {flagsOf, setFlags} from './rflags.ts';
