/** State that survives JSON: what a unit saves. */
export type SavedUnit = unknown;

/**
 * A part of a machine with a life of its own. Units depend on each other: one starts after what it needs, stops before it,
 * and is reset and restored after it. Every operation but `start` is called while the machine does not run.
 */
export interface StateUnit {
	/** Unique in the machine; names its part of a snapshot. */
	readonly name: string;
	/** Names of units that have to be there while this one runs. */
	readonly needs: readonly string[];
	/** A snapshot without its state can be restored: the unit then stays as it is at power-on. */
	readonly optional?: true;
	/**
	 * Lets it run. May take effect later than the units that need it: what they ask for meanwhile has to wait in shared
	 * state.
	 */
	start?(): void | Promise<void>;
	/** Resolves when nothing of it is in flight. */
	stop?(): void | Promise<void>;
	/** Puts it into its state at power-on. */
	reset?(): void | Promise<void>;
	/** Its state, as data that survives JSON. */
	save?(): SavedUnit | Promise<SavedUnit>;
	/** Gives it saved state, which may have been made by anybody. @throws VmmError naming what is wrong with it */
	restore?(saved: SavedUnit): void | Promise<void>;
}
