export {archives, fixture} from './archives.ts';
export {legacyFrame, lz4Run} from './lz4-run.ts';
export {pattern} from './pattern.ts';
