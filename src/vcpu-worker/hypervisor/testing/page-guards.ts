import {PageRights, type Vtl} from '#devices/processor';
import type {StateUnit} from '#support/state-units';

const pageSize = 4096;
const all = Object.values(PageRights).reduce((sum, right) => sum | right, 0);

/** Rights that trust levels leave to those below them, for all processors of the fake. */
export class PageGuards {
	/** The highest level that there is. */
	highestVtl: Vtl = 2;
	/** Rights by page, by guarding level, where they are not all. */
	#rights = new Map<Vtl, Map<number, number>>();

	/** See `TrustLevels.protect`. */
	protect(guard: Vtl, gpa: number, length: number, rights: number): boolean {
		if (gpa % pageSize !== 0 || length % pageSize !== 0) return false;
		const pages = this.#rights.get(guard) ?? new Map<number, number>();
		this.#rights.set(guard, pages);
		for (let at = gpa; at < gpa + length; at += pageSize) {
			if (rights === all) pages.delete(at / pageSize);
			else pages.set(at / pageSize, rights);
		}
		return true;
	}

	/** The highest level that forbids `vtl` to do this with one of these bytes. */
	guardOf(vtl: Vtl, gpa: number, size: number, right: number): Vtl | undefined {
		const pages = [gpa, gpa + size - 1].map((at) => Math.floor(at / pageSize));
		const forbids = (guard: Vtl) => pages.some((page) => ((this.#rights.get(guard)?.get(page) ?? all) & right) === 0);
		return ([2, 1] as const).find((guard) => guard > vtl && forbids(guard));
	}

	readonly unit: StateUnit = {
		name: 'fake-page-guards',
		needs: [],
		reset: () => this.#rights.clear(),
		save: () => [...this.#rights].map(([guard, pages]) => [guard, [...pages]]),
		restore: (saved) => {
			const guards = saved as readonly (readonly [Vtl, readonly (readonly [number, number])[]])[];
			this.#rights = new Map(guards.map(([guard, pages]) => [guard, new Map(pages)]));
		},
	};
}
