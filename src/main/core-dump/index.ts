export {type CoreContents, writeCore} from './write-core.ts';
