export {isBomb} from './bomb.ts';
export {type ChunkFormat, type DecompressJob, decompress, decompressChunks} from './decompress.ts';
export type {ArchiveFault} from './errors.ts';
export {type Compression, compressionFormats, findCompression} from './formats.ts';
export {decompressStream, type StreamFormat} from './streams.ts';
