export {
	type Answer,
	after,
	type Done,
	isLater,
	isRefused,
	mostNameBytes,
	type Name,
	nameBytes,
	nameOf,
	type Refused,
	settled,
} from './answer.ts';
export {
	type AttributeChanges,
	type Attributes,
	type FileTime,
	FileType,
	type FolderSpace,
	type Owner,
	permissionBits,
} from './attributes.ts';
export {
	type Created,
	type DirectoryEntry,
	type Entry,
	type FileLock,
	Folder,
	type FolderAbilities,
	type HandleId,
	LockKind,
	type NodeId,
	OpenFlag,
	RenameFlag,
	rootNode,
	XattrFlag,
} from './folder.ts';
export type {BytesFromGuest, BytesToGuest} from './guest-bytes.ts';
export {HandleTable} from './handle-table.ts';
export {keepFolder, keptFolder} from './kept-folder.ts';
export {areRows, keepText, keptText} from './kept-text.ts';
export {type FolderNode, mostPathBytes, NodeTree, pathBytes} from './node-tree.ts';
export {
	type CachePolicy,
	cachePolicies,
	cacheSeconds,
	type FolderOptions,
	folderDefaults,
	isTag,
	type OwnerMapping,
} from './options.ts';
export type {SavedFolder, SavedHandle, SavedNode} from './saved-folder.ts';
