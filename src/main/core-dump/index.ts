export {type CoreContents, type DumpProgress, writeCore} from './write-core.ts';
