import type {DeviceWorkerPlace, SavedMemory} from '#devices/device';
import type {Disk} from '#devices/storage/disk';
import type {VmmError} from '#support/errors';
import {optionError, type PathHost} from '#support/options';
import type {Reactor} from '#support/reactor';
import type {DiskSource} from './disk-source.ts';

/** A disk as it is written: its kind's prefix, words after semicolons, a colon, and the rest. */
export interface DiskText {
	/** Names it in errors: `--virtio-blk`. */
	readonly option: string;
	/** Words that stand before the colon, each with its semicolon; empty for none. */
	readonly words: string;
	/** All behind the colon. */
	readonly rest: string;
	/**
	 * Reads a disk that it lies over.
	 * @param option - names that one in errors
	 * @throws VmmError with a `CONFIG_` code
	 */
	nested(text: string, option: string): DiskSource;
}

/** What a device's worker has for its disk. */
export interface DiskHost {
	readonly reactor: Reactor;
	readonly worker: DeviceWorkerPlace;
	/** Memory that the workers share, zero at first, and where in it the disk has its shared bytes for itself. */
	readonly memory: SharedArrayBuffer;
	readonly offset: number;
}

/** A disk that is to be opened by one worker. */
export interface DiskOpening extends DiskHost {
	readonly isReadOnly: boolean;
	/** The disks that it lies over, open and its own from now on; they are closed for it when it cannot be opened. */
	readonly disks: readonly Disk[];
}

/** A kind of disk: how it is written, what is wrong with it, and how it is opened. */
export interface DiskKind<S extends DiskSource> {
	/** What it begins with where it is written. */
	readonly prefix: string;
	/** How it is written, for errors. */
	readonly form: string;
	/** @throws VmmError with a `CONFIG_` code for words that are no such disk */
	parse(text: DiskText): S;
	/** True for data that is such a disk, but for {@link disks}; it may be anybody's, and its `kind` is right. */
	isRight(fields: Readonly<Record<string, unknown>>): boolean;
	/** Says what is wrong with it on this host, but for its {@link disks}. */
	checkHost?(source: S, option: string, host: PathHost): VmmError | undefined;
	/** Disks that it lies over. Those of data of which {@link isRight} is true may be anything. */
	disks?(source: S): readonly DiskSource[];
	/** It only reads its {@link disks}. */
	readonly readsDisks?: true;
	/** Bytes that the workers of one share, a multiple of 8, without those of its {@link disks}. */
	sharedBytes(source: S): number;
	/** The part of them that snapshots have, since it is what was written. @param offset - of its shared bytes */
	savedPart?(source: S, offset: number): Omit<SavedMemory, 'name'>;
	/** Loads what only such disks want. @throws VmmError */
	open(source: S, opening: DiskOpening): Promise<Disk>;
}

/** Names a disk that another lies over, in errors. */
export const nestedOption = (option: string, prefix: string, index: number, count: number): string =>
	`${option} ${prefix} disk${count === 1 ? '' : ` ${index + 1}`}`;

/**
 * Reads words that each begin with a semicolon: `;key` or `;key=value`. The value of one without is empty.
 * @throws VmmError CONFIG_KEY_UNKNOWN, CONFIG_KEY_REPEATED
 */
export function parseWords(words: string, option: string, keys: readonly string[]): ReadonlyMap<string, string> {
	const values = new Map<string, string>();
	for (const word of words.split(';').slice(1)) {
		const [key = '', value = ''] = word.split(/=(.*)/s);
		if (!keys.includes(key)) throw optionError('CONFIG_KEY_UNKNOWN', {option, key, allowed: keys});
		if (values.has(key)) throw optionError('CONFIG_KEY_REPEATED', {option, key});
		values.set(key, value);
	}
	return values;
}
