export {imageFaults} from './check-image.ts';
export {codeOf, findPiece, outcome, pieceFields} from './inspect-image.ts';
export {type ElfSpec, makeElf, pvhNote, type SegmentSpec} from './make-elf.ts';
export {makeBzImage, makeMultiboot} from './make-kernels.ts';
export {machineOf, requestFor} from './make-request.ts';
export {mutate, noise, type Random, randomFrom} from './mutate.ts';
