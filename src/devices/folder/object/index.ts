export type {FolderEntry, FolderFile, FolderObject, FolderSpace, FolderStat} from './folder-object.ts';
export {objectCalls} from './object-calls.ts';
export {type CallObject, ObjectFolder} from './object-folder.ts';
