export type {Ext4Identity} from './superblock.ts';
export {type Ext4Options, type ImageFile, writeExt4} from './write-ext4.ts';
