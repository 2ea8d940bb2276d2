import {tarMembers} from '#main/debian';
import {FileTree, type Spool} from '#main/file-tree';
import type {OperationSignal} from '#support/abort';
import {attributesOf, nodeOf} from './tree-member.ts';

/**
 * What tells when and by whom files were changed, and what is made again by itself: it would be different in each image, and serves
 * nobody. Copies by which programs keep what was before are of the first state, too.
 */
const transient: readonly RegExp[] = [
	/^var\/log\/(?:alternatives|bootstrap|dpkg)\.log$/,
	// It has inodes' numbers and times.
	/^var\/cache\/ldconfig\/aux-cache$/,
	/^var\/lib\/dpkg\/(?:status|available|diversions|statoverride)-old$/,
	/^var\/lib\/dpkg\/(?:lock|lock-frontend|triggers\/Lock)$/,
	/^var\/cache\/debconf\/.*-old$/,
	/^etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-$/,
	/^etc\/\.pwd\.lock$/,
	/^var\/lib\/systemd\/random-seed$/,
	/^(?:var\/)?tmp\/./,
];
const isTransient = (path: string): boolean => transient.some((each) => each.test(path.replace(/^(?:\.?\/)+/, '')));

/** What files that a guest has configured are read with. */
export interface ReadConfigured {
	/** Age of what is younger, in seconds since 1970. */
	readonly time: number;
	/** Makes what is thrown for an archive that contradicts itself. */
	readonly fault: (what: string) => Error;
	readonly signal?: OperationSignal | undefined;
}

/**
 * Reads the files of a system that a guest has configured, without what would be different another time.
 * @param archive - of GNU tar
 * @param spool - where their bytes go
 * @throws VmmError TREE_*, what `fault` makes; the signal's reason
 */
export async function readConfigured(
	archive: AsyncIterable<Uint8Array>,
	spool: Spool,
	{time, fault, signal}: ReadConfigured,
): Promise<FileTree> {
	const tree = new FileTree(time);
	for await (const member of tarMembers(archive, fault)) {
		signal?.throwIfAborted();
		const own = attributesOf(member);
		const attributes = {...own, modified: Math.min(own.modified, time)};
		if (isTransient(member.path)) continue;
		if (member.kind === 'directory') tree.addDirectory(member.path, attributes);
		else tree.add(member.path, await nodeOf(tree, spool, member, attributes, () => true, fault));
	}
	return tree;
}
