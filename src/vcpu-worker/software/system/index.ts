/** The system part of the processor: modes, segments, exceptions, and the instructions that TypeScript carries out. */

export {GuestFault} from './guest-fault.ts';
export {systemInstructions} from './instructions.ts';
export type {Outside} from './outside.ts';
export {Processor, type ProcessorStop} from './processor.ts';
export {randomNumbers} from './random.ts';
export {flagsOf, setFlags} from './rflags.ts';
export {componentsOf, isXcr0, saveImage, takeImage} from './xsave-area.ts';
export {readUpperHalves, writeUpperHalves} from './ymm-area.ts';
