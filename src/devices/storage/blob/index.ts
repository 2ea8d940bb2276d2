export {type BlobConfig, BlobDisk} from './blob-disk.ts';
export {usualCacheFolder} from './chunk-cache.ts';
export {blobError} from './errors.ts';
