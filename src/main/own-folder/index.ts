export {makeOwnFolder, removeLeftFolders} from './own-folder.ts';
