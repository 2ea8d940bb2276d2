export {fileDiskError} from './errors.ts';
export type {FileDiskConfig} from './file-config.ts';
export {FileDisk, type FileDiskParts, FileShare} from './file-disk.ts';
export {FileIo} from './file-io.ts';
export {type DirectFile, lengthOf, openFile, reopenDirect} from './open-file.ts';
