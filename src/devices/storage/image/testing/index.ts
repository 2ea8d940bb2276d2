export {type Crashing, crashDuring, crashEverywhere, crashWhileRepairing, crashWhileResizing} from './crash.ts';
export {MemoryFile} from './memory-file.ts';
export {ModelDisk, SeededRandom} from './model.ts';
export {mutate, type Spot} from './mutate.ts';
export {hasQemuImg, qemuImg, qemuImgSays} from './qemu-img.ts';
