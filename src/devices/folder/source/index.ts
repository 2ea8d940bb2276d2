export {type FlaggedFolder, parseFlaggedFolder} from './flagged-folder.ts';
export {type FolderSource, folderOptionTable, folderSource, ownerOption} from './folder-options.ts';
export {openFolder} from './open-folder.ts';
export type {SharedFolder} from './shared-folder-option.ts';
