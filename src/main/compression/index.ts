export {type DecompressJob, decompress} from './decompress.ts';
export {type Compression, compressionFormats, findCompression} from './formats.ts';
