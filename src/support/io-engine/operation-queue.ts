import type {FileOperation} from './io-engine.ts';

/** Operations that wait for their turn, first come first served: a ring that grows and makes no garbage. */
export class OperationQueue {
	#items: (FileOperation | undefined)[] = new Array<undefined>(16).fill(undefined);
	#first = 0;
	#length = 0;

	get length(): number {
		return this.#length;
	}

	push(operation: FileOperation): void {
		const {length} = this.#items;
		if (this.#length === length) {
			const ordered = [...this.#items.slice(this.#first), ...this.#items.slice(0, this.#first)];
			this.#items = [...ordered, ...new Array<undefined>(length).fill(undefined)];
			this.#first = 0;
		}
		this.#items[(this.#first + this.#length++) & (this.#items.length - 1)] = operation;
	}

	/** Takes the first, where there is one. */
	shift(): FileOperation {
		const operation = this.#items[this.#first] as FileOperation;
		this.#items[this.#first] = undefined;
		this.#first = (this.#first + 1) & (this.#items.length - 1);
		this.#length--;
		return operation;
	}
}
