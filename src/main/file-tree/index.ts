export {bytesContent, type Content, Spool} from './content.ts';
export {
	type Attributes,
	type Directory,
	FileTree,
	ownText,
	sortedEntries,
	type TreeNode,
	type Xattrs,
} from './file-tree.ts';
export {addHostFolder} from './host-folder.ts';
