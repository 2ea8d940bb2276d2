import {closeSync, type FSWatcher, fstatSync, openSync, readFileSync, readSync, statSync, watch} from 'node:fs';
import {dirname} from 'node:path';
import {type ConsoleLogPiece, olderLog, parseLogPiece} from '#devices/serial-backends';

/** A look at the log although nothing was heard of it: not every file system tells of changes. */
const lookMs = 250;

/** The bytes of pieces, or only those of the last lines. */
export function bytesOf(pieces: readonly ConsoleLogPiece[], lines = Number.POSITIVE_INFINITY): Buffer {
	const all = Buffer.from(pieces.map(({bytes}) => bytes).join(''), 'latin1');
	let start = all.length;
	for (let line = 0; line < lines && start > 0; line++)
		// The line feed at its own end is not that before it.
		start = start === 1 ? 0 : all.lastIndexOf('\n', start - 2) + 1;
	return all.subarray(start);
}

/** Reads a console's log while it is written, over the beginnings of new files. */
export class LogReader {
	readonly #path: string;
	readonly #watcher: FSWatcher | undefined;
	#fd: number | undefined;
	#rest = '';
	#changed = Promise.withResolvers<void>();

	/** @param path - of the log, which need not be there yet */
	constructor(path: string) {
		this.#path = path;
		this.#watcher = watchFolder(dirname(path), () => this.#changed.resolve());
	}

	/** All that has come since the last time; at first all that there is. */
	take(): ConsoleLogPiece[] {
		this.#changed = Promise.withResolvers();
		if (this.#fd === undefined) return this.#begin();
		const pieces = this.#readOn(this.#fd);
		const now = statSync(this.#path, {throwIfNoEntry: false});
		if (now === undefined || now.ino === fstatSync(this.#fd).ino) return pieces;
		// What came between the read and the new file.
		const last = this.#readOn(this.#fd);
		closeSync(this.#fd);
		this.#rest = '';
		this.#fd = openLog(this.#path);
		return [...pieces, ...last, ...(this.#fd === undefined ? [] : this.#readOn(this.#fd))];
	}

	/** Resolves when there may be more. */
	async changed(): Promise<void> {
		const timer = setTimeout(() => this.#changed.resolve(), lookMs);
		await this.#changed.promise;
		clearTimeout(timer);
	}

	close(): void {
		this.#watcher?.close();
		if (this.#fd !== undefined) closeSync(this.#fd);
		this.#fd = undefined;
	}

	/** The older file, unless it is the one that has just been opened, and the newer. */
	#begin(): ConsoleLogPiece[] {
		this.#fd = openLog(this.#path);
		if (this.#fd === undefined) return [];
		const older = statSync(olderLog(this.#path), {throwIfNoEntry: false});
		const isOther = older !== undefined && older.ino !== fstatSync(this.#fd).ino;
		const before = isOther ? piecesOf(readFileSync(olderLog(this.#path), 'utf8').split('\n')) : [];
		return [...before, ...this.#readOn(this.#fd)];
	}

	#readOn(fd: number): ConsoleLogPiece[] {
		const chunk = Buffer.alloc(64 * 1024);
		let text = this.#rest;
		for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk))
			text += chunk.toString('latin1', 0, count);
		const lines = text.split('\n');
		// It is being written.
		this.#rest = lines.pop() ?? '';
		return piecesOf(lines.map((line) => Buffer.from(line, 'latin1').toString()));
	}
}

const piecesOf = (lines: readonly string[]): ConsoleLogPiece[] =>
	lines.flatMap((line) => {
		const piece = parseLogPiece(line);
		return piece === undefined ? [] : [piece];
	});

function openLog(path: string): number | undefined {
	try {
		return openSync(path, 'r');
	} catch {
		// Nothing has been shown yet, or the machine is gone.
		return undefined;
	}
}

function watchFolder(path: string, changed: () => void): FSWatcher | undefined {
	try {
		const watcher = watch(path, changed);
		watcher.on('error', changed);
		return watcher;
	} catch {
		// It is gone, or the host has no more watches.
		return undefined;
	}
}
