import type {Attributes, FileTree, Spool, TreeNode} from '#main/file-tree';
import type {TarMember} from '#main/tar';

/** Attributes alone, of a member of an archive or of what is in a tree. */
export const attributesOf = ({permissions, user, group, modified, xattrs}: Attributes): Attributes => ({
	permissions,
	user,
	group,
	modified,
	xattrs,
});

/**
 * Makes what a member of an archive is in a tree, other than a folder.
 * @param spool - where its bytes go
 * @param mayLink - tells whether a hard link may be another name of that
 * @param fault - makes what is thrown for a link to what is no such file
 */
export async function nodeOf(
	tree: FileTree,
	spool: Spool,
	member: TarMember,
	attributes: Attributes,
	mayLink: (found: TreeNode) => boolean,
	fault: (what: string) => Error,
): Promise<TreeNode> {
	const {kind, target, major, minor} = member;
	switch (kind) {
		case 'file': {
			const content = await spool.add(member.content);
			return {...attributes, kind, content};
		}
		case 'symbolic-link':
			return {...attributes, kind: 'link', target};
		case 'hard-link': {
			const found = tree.find(target);
			if (found?.kind === 'file' && mayLink(found)) return found;
			throw fault(`${member.path} is another name of ${target}, which is no file of it`);
		}
		case 'character':
		case 'block':
			return {...attributes, kind, major, minor};
		case 'fifo':
			return {...attributes, kind};
		case 'directory':
			throw new TypeError('a directory has no content');
	}
}
