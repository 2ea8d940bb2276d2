import {FileType} from '#devices/folder';
import type {OperationSignal} from '#support/abort';
import {failed} from './failed.ts';
import type {FolderObject, FolderStat} from './folder-object.ts';

/** Names in a path: each of those above the last is looked at, from the folder on. */
const mostNames = 256;

/** What is under a path: bits of a mode, links not followed; undefined where there is nothing. */
type Found = number | undefined;
/** A call that waits until it may begin. */
interface Waiting {
	readonly isAlone: boolean;
	begin(): void;
}

/**
 * Calls of an object's methods by path. A method may follow each link that it comes by, and a guest makes links, and puts them where a directory or a file was
 * just now. So what a path names is looked at before a method has it, and what may put a link somewhere is done while nothing else is: what has been looked
 * at is so until the method has come to an end. A method that never does keeps links and renames from its object.
 */
export class PathOrder {
	readonly #object: FolderObject;
	/** Those first that have waited longest. */
	readonly #waiting = new Set<Waiting>();
	#together = 0;
	#isAlone = false;

	constructor(object: FolderObject) {
		this.#object = object;
	}

	/** Does what puts no link anywhere. @param signal - says that nobody waits any more: what has not begun then never does */
	together<T>(signal: OperationSignal | undefined, act: () => Promise<T>): Promise<T> {
		return this.#inTurn(false, signal, act);
	}

	/** Does what may put a link somewhere. */
	alone<T>(signal: OperationSignal | undefined, act: () => Promise<T>): Promise<T> {
		return this.#inTurn(true, signal, act);
	}

	/** What lstat(2) tells. */
	async stat(path: string): Promise<FolderStat> {
		if (this.#object.lstat !== undefined) return this.#object.lstat(path);
		if (this.#object.stat !== undefined) return this.#object.stat(path);
		throw failed('EOPNOTSUPP');
	}

	/** Refuses a path on whose way there is anything but directories (ESTALE). */
	async checkWay(path: string): Promise<void> {
		// An object that tells of no links has none.
		if (this.#object.lstat === undefined) return;
		let names = 1;
		for (let end = path.indexOf('/', 1); end > 0; end = path.indexOf('/', end + 1)) {
			if (names++ === mostNames) throw failed('ENAMETOOLONG');
			if (typeOf(await this.stat(path.slice(0, end))) !== FileType.DIRECTORY) throw failed('ESTALE');
		}
	}

	/** The same, and what is at its end. */
	async typeAt(path: string): Promise<Found> {
		await this.checkWay(path);
		try {
			return typeOf(await this.stat(path));
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
			throw error;
		}
	}

	async #inTurn<T>(isAlone: boolean, signal: OperationSignal | undefined, act: () => Promise<T>): Promise<T> {
		await this.#turn(isAlone, signal);
		try {
			return await act();
		} finally {
			if (isAlone) this.#isAlone = false;
			else this.#together--;
			this.#admit();
		}
	}

	#turn(isAlone: boolean, signal: OperationSignal | undefined): Promise<void> {
		const {promise, resolve, reject} = Promise.withResolvers<void>();
		const waiting = {isAlone, begin: resolve};
		this.#waiting.add(waiting);
		this.#admit();
		signal?.addEventListener('abort', () => {
			if (!this.#waiting.delete(waiting)) return;
			reject(failed('ETIMEDOUT'));
			this.#admit();
		});
		return promise;
	}

	#admit(): void {
		for (const waiting of this.#waiting) {
			if (this.#isAlone || (waiting.isAlone && this.#together > 0)) return;
			if (waiting.isAlone) this.#isAlone = true;
			else this.#together++;
			this.#waiting.delete(waiting);
			waiting.begin();
		}
	}
}

const typeOf = ({mode}: FolderStat): number => Number(mode) & FileType.MASK;

const orders = new WeakMap<FolderObject, PathOrder>();

/** The one of an object, which several devices may have. */
export function pathOrderOf(object: FolderObject): PathOrder {
	const order = orders.get(object) ?? new PathOrder(object);
	orders.set(object, order);
	return order;
}
