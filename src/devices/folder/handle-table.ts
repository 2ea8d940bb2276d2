import {Errno} from '#support/ffi';
import type {Refused} from './answer.ts';
import type {HandleId} from './folder.ts';

/** What a folder has open, by number, for back ends. @typeParam H - what is kept of each */
export class HandleTable<H> {
	readonly #most: number;
	readonly #handles = new Map<HandleId, H>();
	readonly #free: HandleId[] = [];
	#next: HandleId = 1;

	/** @param most - at once */
	constructor(most: number) {
		this.#most = most;
	}

	get isFull(): boolean {
		return this.#handles.size >= this.#most;
	}

	/** @returns -ENFILE where there are too many */
	add(handle: H): HandleId | Refused {
		if (this.isFull) return -Errno.ENFILE;
		const id = this.#free.pop() ?? this.#next++;
		this.#handles.set(id, handle);
		return id;
	}

	/** Has one of a snapshot again. False where it cannot be. */
	restore(id: HandleId, handle: H): boolean {
		if (this.isFull || !(Number.isInteger(id) && id >= 1 && id <= this.#most) || this.#handles.has(id)) return false;
		for (; this.#next <= id; this.#next++) this.#free.push(this.#next);
		this.#free.splice(this.#free.indexOf(id), 1);
		this.#handles.set(id, handle);
		return true;
	}

	get(id: HandleId): H | undefined {
		return this.#handles.get(id);
	}

	/** Takes one out. */
	remove(id: HandleId): H | undefined {
		const handle = this.#handles.get(id);
		if (handle === undefined) return undefined;
		this.#handles.delete(id);
		this.#free.push(id);
		return handle;
	}

	[Symbol.iterator](): IterableIterator<[HandleId, H]> {
		return this.#handles.entries();
	}
}
