import type {DirtySource, PageVisitor} from '#devices/guest-memory';

const pageSize = 4096;

/** The pages that scripts have stored to, while somebody watches. */
export class StoreLog implements DirtySource {
	watchers = 0;
	#pages = new Set<number>();

	/** A script has stored to these bytes. */
	stored(gpa: number, size: number): void {
		if (this.watchers === 0) return;
		for (const at of [gpa, gpa + size - 1]) this.#pages.add(Math.floor(at / pageSize));
	}

	start(): void {
		this.watchers++;
	}

	collect(visit: PageVisitor): void {
		const pages = this.#pages;
		this.#pages = new Set();
		for (const page of pages) visit(page * pageSize, pageSize);
	}

	stop(): void {
		if (this.watchers === 0) throw new TypeError('the dirty log is stopped more often than started');
		this.watchers--;
		if (this.watchers === 0) this.#pages.clear();
	}
}
