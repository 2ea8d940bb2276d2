/** A node of a snapshot: where it was. */
export interface SavedNode {
	readonly id: number;
	/** 0 where it had no name any more. */
	readonly parent: number;
	/** Bytes as `Name` has them. */
	readonly name: string;
	/** What the guest has still to forget. */
	readonly lookups: number;
}

/** An open file or directory of a snapshot. */
export interface SavedHandle {
	readonly id: number;
	readonly node: number;
	/** `OpenFlag`, without those that act once. */
	readonly flags: number;
	readonly isDirectory: boolean;
}

/** What is kept of a folder while its machine is no process: plain data, of anybody once it is read again. */
export interface SavedFolder {
	/** Parents before what is in them; without the root. */
	readonly nodes: readonly SavedNode[];
	readonly handles: readonly SavedHandle[];
	/** The next node's number. */
	readonly next: number;
}
