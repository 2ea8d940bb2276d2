import {fileError} from './folder-errors.ts';

/** Bytes that all files of a folder may have together. */
export interface Budget {
	/** What is left. */
	bytes: number;
}

/** Content of a file in memory. Behind what was written, up to its length, it is zero. */
export class MemoryBytes {
	readonly #budget: Budget;
	/** Longer than the content, as a rule. */
	#bytes: Uint8Array = new Uint8Array();
	#length = 0;

	constructor(budget: Budget, content: Uint8Array = new Uint8Array()) {
		this.#budget = budget;
		this.write(content, 0);
	}

	get length(): number {
		return this.#length;
	}

	/** @returns how many bytes there were */
	read(target: Uint8Array, position: number): number {
		const part = this.#bytes.subarray(
			Math.min(position, this.#length),
			Math.min(position + target.length, this.#length),
		);
		target.set(part);
		return part.length;
	}

	/** @throws Error ENOSPC */
	write(source: Uint8Array, position: number): void {
		this.#reserve(position + source.length);
		this.#bytes.set(source, position);
		this.#length = Math.max(this.#length, position + source.length);
	}

	/** @throws Error ENOSPC */
	truncate(length: number): void {
		if (length === 0) this.free();
		this.#reserve(length);
		this.#bytes.fill(0, length, this.#length);
		this.#length = length;
	}

	/** Gives all of it back. */
	free(): void {
		this.#budget.bytes += this.#bytes.length;
		this.#bytes = new Uint8Array();
		this.#length = 0;
	}

	#reserve(length: number): void {
		const have = this.#bytes.length;
		if (length <= have) return;
		const most = have + this.#budget.bytes;
		if (length > most) throw fileError('ENOSPC', `${length} bytes`);
		const bytes = new Uint8Array(Math.min(most, Math.max(length, 2 * have)));
		bytes.set(this.#bytes.subarray(0, this.#length));
		this.#budget.bytes -= bytes.length - have;
		this.#bytes = bytes;
	}
}
