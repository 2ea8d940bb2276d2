export {type ArchiveFolderOptions, archiveFolder} from './archive-folder.ts';
export {folderAt} from './folder-at.ts';
export {type FolderFunction, type FunctionAnswer, functionFolder} from './function-folder.ts';
export {type MemoryFiles, MemoryFolder, type MemoryFolderOptions, memoryFolder} from './memory-folder.ts';
export {overlayFolder} from './overlay-folder.ts';
