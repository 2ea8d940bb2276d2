import {Errno} from '#support/ffi';
import {type Name, nameBytes, type Refused} from './answer.ts';
import {type NodeId, rootNode} from './folder.ts';
import type {SavedFolder, SavedNode} from './saved-folder.ts';

/** Most bytes of a path from the folder to a file, as of Linux's paths (PATH_MAX, with its NUL). */
export const mostPathBytes = 4095;

/** Nodes that are looked at for one to forget; those in use come last then. */
const mostLooks = 2 ** 14;

/** A file that the guest knows. */
export interface FolderNode<T> {
	readonly id: NodeId;
	/** Where it was seen last; undefined for the root, and where that name is gone or another file's. */
	readonly parent: FolderNode<T> | undefined;
	readonly name: string;
	/** What the back end keeps of it. */
	data: T;
}

interface Own<T> extends FolderNode<T> {
	parent: Own<T> | undefined;
	name: string;
	key: string | bigint | undefined;
	lookups: number;
	/** Open files, and nodes whose parent it is. */
	holds: number;
}

/**
 * The nodes of a folder, for back ends: numbers, counts of lookups, and where each file is in the folder. A node lives while the guest has
 * not forgotten it, while it is open, and while there are nodes in it.
 * @typeParam T - what the back end keeps of each
 */
export class NodeTree<T> {
	readonly #most: number;
	/** Those first that were used longest ago. */
	readonly #nodes = new Map<NodeId, Own<T>>();
	readonly #places = new Map<string, Own<T>>();
	readonly #keys = new Map<string | bigint, Own<T>>();
	#next: NodeId = rootNode + 1;

	/** @param most - nodes at once */
	constructor(root: T, most: number) {
		this.#most = most;
		this.#nodes.set(rootNode, {
			id: rootNode,
			parent: undefined,
			name: '',
			data: root,
			key: undefined,
			lookups: 1,
			holds: 0,
		});
	}

	get size(): number {
		return this.#nodes.size;
	}

	get(id: NodeId): FolderNode<T> | undefined {
		const node = this.#nodes.get(id);
		if (node !== undefined) this.#touch(node);
		return node;
	}

	/**
	 * Has room for a further node before something is made that needs one: where there are too many, the one that was used longest ago, and is neither open nor
	 * has nodes in it, is forgotten. A guest that still means it is told -ESTALE and looks again.
	 * @returns false where all are in use
	 */
	makeRoom(): boolean {
		if (this.#nodes.size < this.#most) return true;
		let looks = mostLooks;
		for (const node of this.#nodes.values()) {
			if (looks-- === 0) return false;
			if (node.id !== rootNode && node.holds === 0) {
				node.lookups = 0;
				this.#dropIfUnused(node);
				return true;
			}
			this.#touch(node);
		}
		return false;
	}

	/** What was seen last under a name. */
	child(parent: FolderNode<T>, name: Name): FolderNode<T> | undefined {
		return this.#places.get(placeOf(parent, name));
	}

	/** The file that a key tells. */
	known(key: string | bigint): FolderNode<T> | undefined {
		return this.#keys.get(key);
	}

	/**
	 * A file has been found under a name, and its node is looked up once more.
	 * @param key - tells files apart; without it the file is its place
	 * @returns -ENFILE where the guest knows too many
	 */
	enter(parent: FolderNode<T>, name: Name, key: string | bigint | undefined, data: T): FolderNode<T> | Refused {
		const known = key === undefined ? this.#places.get(placeOf(parent, name)) : this.#keys.get(key);
		const directory = parent as Own<T>;
		// It is not the one that makes room.
		directory.holds++;
		const node = known ?? this.#add(key, data);
		directory.holds--;
		if (node === undefined) return -Errno.ENFILE;
		node.data = data;
		node.lookups++;
		this.#place(node, directory, name);
		return node;
	}

	/** A file that has no name, and gets none here, has been made. */
	enterUnnamed(key: string | bigint | undefined, data: T): FolderNode<T> | Refused {
		const node = this.#add(key, data);
		if (node === undefined) return -Errno.ENFILE;
		node.lookups++;
		return node;
	}

	forget(id: NodeId, count: number): void {
		const node = this.#nodes.get(id);
		if (node === undefined || id === rootNode) return;
		node.lookups = Math.max(0, node.lookups - count);
		this.#dropIfUnused(node);
	}

	/** The node is open once more. */
	hold(node: FolderNode<T>): void {
		(node as Own<T>).holds++;
	}

	/** It is open once less. */
	letGo(node: FolderNode<T>): void {
		(node as Own<T>).holds--;
		this.#dropIfUnused(node as Own<T>);
	}

	/** A name has gone. */
	removed(parent: FolderNode<T>, name: Name): void {
		const node = this.#places.get(placeOf(parent, name));
		if (node !== undefined) this.#unplace(node);
	}

	/** A file is not there any more, under no name; its number goes on to mean it. */
	gone(node: FolderNode<T>): void {
		const own = node as Own<T>;
		if (own.key !== undefined && this.#keys.get(own.key) === own) this.#keys.delete(own.key);
		own.key = undefined;
		this.#unplace(own);
	}

	/** A file has another name; what had that one has none. */
	moved(parent: FolderNode<T>, name: Name, newParent: FolderNode<T>, newName: Name): void {
		const node = this.#places.get(placeOf(parent, name));
		if (node === undefined) this.removed(newParent, newName);
		else this.#place(node, newParent as Own<T>, newName);
	}

	/** Two files have each other's name. */
	exchanged(parent: FolderNode<T>, name: Name, newParent: FolderNode<T>, newName: Name): void {
		const [one, other] = [this.child(parent, name) as Own<T>, this.child(newParent, newName) as Own<T>];
		for (const node of [one, other]) if (node !== undefined) node.lookups++;
		if (one !== undefined) this.#place(one, newParent as Own<T>, newName);
		if (other !== undefined) this.#place(other, parent as Own<T>, name);
		else this.removed(parent, name);
		for (const node of [one, other]) if (node !== undefined) this.forget(node.id, 1);
	}

	/** The way from the folder to a node, `a/b` and `` for the root; -ESTALE where nobody knows it, -ENAMETOOLONG for one too long. */
	path(node: FolderNode<T>, name?: Name): string | Refused {
		const names = name === undefined ? [] : [name as string];
		let bytes = name?.length ?? 0;
		let at: FolderNode<T> = node;
		for (; at.parent !== undefined; at = at.parent) {
			names.push(at.name);
			bytes += at.name.length + 1;
			if (bytes > mostPathBytes) return -Errno.ENAMETOOLONG;
		}
		return at.id === rootNode ? names.reverse().join('/') : -Errno.ESTALE;
	}

	save(): Omit<SavedFolder, 'handles'> {
		const nodes: SavedNode[] = [];
		const saved = new Set<Own<T>>();
		for (const node of this.#nodes.values()) {
			// Parents first, which may have become so after their children were made.
			const chain: Own<T>[] = [];
			for (let at: Own<T> | undefined = node; at !== undefined && !saved.has(at); at = at.parent) chain.push(at);
			for (const {id, parent, name, lookups} of chain.reverse())
				if (id !== rootNode) nodes.push({id, parent: parent?.id ?? 0, name, lookups});
			for (const each of chain) saved.add(each);
		}
		return {nodes, next: this.#next};
	}

	/** Has a node of a snapshot again, whose parent is there. Undefined for one that cannot be. */
	restore(
		{id, parent: parentId, name, lookups}: SavedNode,
		key: string | bigint | undefined,
		data: T,
	): FolderNode<T> | undefined {
		if (id <= rootNode || this.#nodes.has(id) || this.#nodes.size >= this.#most) return undefined;
		const parent = parentId === 0 ? undefined : this.#nodes.get(parentId);
		const isKnown = key !== undefined && this.#keys.has(key);
		const node: Own<T> = {id, parent: undefined, name: '', data, key: isKnown ? undefined : key, lookups, holds: 0};
		this.#nodes.set(id, node);
		if (node.key !== undefined) this.#keys.set(node.key, node);
		if (parent !== undefined) this.#place(node, parent, name);
		this.#next = Math.max(this.#next, id + 1);
		return node;
	}

	/** Gives no number below to a further node: after a restore. */
	skipTo(next: NodeId): void {
		if (Number.isSafeInteger(next)) this.#next = Math.max(this.#next, next);
	}

	/** It has been used last. Whoever is far from having too many keeps no order. */
	#touch(node: Own<T>): void {
		if (this.#nodes.size < this.#most / 2) return;
		this.#nodes.delete(node.id);
		this.#nodes.set(node.id, node);
	}

	#add(key: string | bigint | undefined, data: T): Own<T> | undefined {
		if (!this.makeRoom()) return undefined;
		const node: Own<T> = {id: this.#next++, parent: undefined, name: '', data, key, lookups: 0, holds: 0};
		this.#nodes.set(node.id, node);
		if (key !== undefined) this.#keys.set(key, node);
		return node;
	}

	#place(node: Own<T>, parent: Own<T>, name: string): void {
		if (node.parent === parent && node.name === name) return;
		// The root, and a directory that the host shows inside itself, stay where they are.
		for (let at: Own<T> | undefined = parent; at !== undefined; at = at.parent) if (at === node) return;
		const place = placeOf(parent, name);
		// Nobody drops the two meanwhile.
		parent.holds++;
		node.holds++;
		const before = this.#places.get(place);
		if (before !== undefined) this.#unplace(before);
		this.#unplace(node);
		this.#places.set(place, node);
		node.parent = parent;
		node.name = name;
		node.holds--;
	}

	#unplace(node: Own<T>): void {
		const {parent, name} = node;
		if (parent === undefined) return;
		this.#places.delete(placeOf(parent, name));
		node.parent = undefined;
		parent.holds--;
		this.#dropIfUnused(parent);
		this.#dropIfUnused(node);
	}

	#dropIfUnused(unused: Own<T>): void {
		for (let node: Own<T> | undefined = unused; node !== undefined && node.lookups === 0 && node.holds === 0; ) {
			const {id, parent, name, key}: Own<T> = node;
			if (id === rootNode) return;
			this.#nodes.delete(id);
			if (key !== undefined && this.#keys.get(key) === node) this.#keys.delete(key);
			node.parent = undefined;
			if (parent !== undefined) {
				this.#places.delete(placeOf(parent, name));
				parent.holds--;
			}
			node = parent;
		}
	}
}

const placeOf = ({id}: {readonly id: NodeId}, name: string): string => `${id}/${name}`;

/** A path's bytes with NUL behind, as C takes it. */
export const pathBytes = (path: string): Uint8Array => nameBytes(`${path}\0`);
