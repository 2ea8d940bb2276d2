export {findNotes} from './find-notes.ts';
export {type CoreContents, writeCore} from './write-core.ts';
