export type {BootImage, BootMachine, MemoryPiece, ReservedRange} from './boot-image.ts';
export {bootLayout} from './boot-layout.ts';
export {type DetectedKernel, detectKernelFormat} from './detect.ts';
export {loadFlat} from './flat/index.ts';
export {type LoadedKernel, loadKernel} from './load-kernel.ts';
export type {BootModule, FlatFormat, KernelFormat, LoadRequest} from './load-request.ts';
export {type MemoryMapEntry, memoryMap, memoryType} from './memory-map.ts';
export {writeBootImage} from './write-image.ts';
