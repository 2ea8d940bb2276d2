export {type CacheUse, FileCache, ignoreMissing, type PartialFile} from './file-cache.ts';
