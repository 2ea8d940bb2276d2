const idBytes = 0x1_0000 / 8;

/** Ids of commands that are not completed, a bit each, by submission queue: a driver uses none twice at a time. */
export class CommandIds {
	readonly #queues: (Uint8Array | undefined)[] = [];

	has(queue: number, id: number): boolean {
		return (((this.#queues[queue]?.[id >>> 3] ?? 0) >>> (id & 7)) & 1) !== 0;
	}

	add(queue: number, id: number): void {
		const bits = this.#queues[queue] ?? new Uint8Array(idBytes);
		this.#queues[queue] = bits;
		bits[id >>> 3] = (bits[id >>> 3] as number) | (1 << (id & 7));
	}

	delete(queue: number, id: number): void {
		const bits = this.#queues[queue];
		if (bits !== undefined) bits[id >>> 3] = (bits[id >>> 3] as number) & ~(1 << (id & 7));
	}

	clear(): void {
		for (const bits of this.#queues) bits?.fill(0);
	}
}
