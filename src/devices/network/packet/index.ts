export {addWords, checksumOf} from './checksum.ts';
export {finishChecksum} from './finish.ts';
export {Segments} from './segments.ts';
