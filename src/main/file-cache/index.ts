export {type CacheUse, FileCache, ignoreMissing, isHostError, type PartialFile} from './file-cache.ts';
