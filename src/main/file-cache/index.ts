export {type CacheUse, FileCache, hashOfKey, ignoreMissing, isHostError, type PartialFile} from './file-cache.ts';
