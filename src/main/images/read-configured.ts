import {FileTree, type Spool} from '#main/file-tree';
import {tarMembers} from '#main/tar';
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
const isTransient = (path: string): boolean => transient.some((each) => each.test(path));

/** What a guest gives back when it has configured a system. */
export interface Configured {
	/** Names of all files that it has then, each with a zero behind it. */
	readonly names: Uint8Array;
	/** Those that are not as they were, as GNU tar packs them. */
	readonly archive: AsyncIterable<Uint8Array>;
}

/** What it is read with. */
export interface ReadConfigured {
	/** Age of what is younger, in seconds since 1970. */
	readonly time: number;
	/** Makes what is thrown for what contradicts itself. */
	readonly fault: (what: string) => Error;
	readonly signal?: OperationSignal | undefined;
}

/**
 * Makes the files of a system that a guest has configured, without what would be different another time.
 * @param before - the system as the guest got it
 * @param spool - where bytes of what was changed go
 * @throws VmmError TREE_*, what `fault` makes; the signal's reason
 */
export async function readConfigured(
	before: FileTree,
	{names, archive}: Configured,
	spool: Spool,
	{time, fault, signal}: ReadConfigured,
): Promise<FileTree> {
	const tree = new FileTree(time);
	const changed = new Set<string>();
	for await (const member of tarMembers(archive, fault)) {
		signal?.throwIfAborted();
		const path = member.path.replace(/^(?:\.?\/+)+|^\.$/, '').replace(/\/+$/, '');
		changed.add(path);
		if (isTransient(path)) continue;
		const own = attributesOf(member);
		const attributes = {...own, modified: Math.min(own.modified, time)};
		if (member.kind === 'directory') tree.addDirectory(path, attributes);
		else tree.add(path, await nodeOf(tree, spool, member, attributes, () => true, fault));
	}
	if (!changed.has('')) tree.addDirectory('', attributesOf(before.root));
	const present = new Set(Buffer.from(names).toString('utf8').split('\0'));
	for (const [path, node] of before.walk()) {
		if (!present.delete(path) || changed.has(path) || isTransient(path)) continue;
		if (node.kind === 'directory') tree.addDirectory(path, attributesOf(node));
		else tree.add(path, node);
	}
	for (const path of present)
		if (path !== '' && !changed.has(path)) throw fault(`${JSON.stringify(path)} is not there`);
	return tree;
}
