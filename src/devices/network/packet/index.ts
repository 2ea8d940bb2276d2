export {addWords, checksumOf} from './checksum.ts';
export {finishChecksum} from './finish.ts';
export {flowHash} from './flow-hash.ts';
export {macText} from './mac-text.ts';
export {PlainSender} from './plain-sender.ts';
export {Segments} from './segments.ts';
export {HeaderFlag, readHeader, VnetHeader, type VnetHeaderView, writeHeader} from './vnet-header.ts';
