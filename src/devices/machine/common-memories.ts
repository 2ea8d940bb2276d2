import type {CommonMemory} from '#devices/device';

/** Memory that devices of several machines have in common, as long as one of them is there: see `ModelParts.commonMemory`. */
export class CommonMemories {
	readonly #memories = new Map<string, WeakRef<SharedArrayBuffer>>();

	/** The memory of that name and length. Whoever has it found keeps it. @throws RangeError where there is no room for it */
	find({name, bytes}: CommonMemory): SharedArrayBuffer {
		const key = `${bytes} ${name}`;
		const known = this.#memories.get(key)?.deref();
		if (known !== undefined) return known;
		for (const [other, memory] of this.#memories) if (memory.deref() === undefined) this.#memories.delete(other);
		const made = new SharedArrayBuffer(bytes);
		this.#memories.set(key, new WeakRef(made));
		return made;
	}
}
