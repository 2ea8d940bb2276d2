export {type BlobConfig, BlobDisk} from './blob-disk.ts';
export {usualCacheFolder} from './chunk-cache.ts';
export {blobError, toldUrl} from './errors.ts';
