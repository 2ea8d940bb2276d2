import {print, printable} from './print.ts';

/** What takes no longer says nothing. */
const quietMs = 1000;
/** Between two lines. */
const betweenMs = 200;

/** Says on a terminal how far something is, in one line that changes, when it takes longer than a second. */
export class ProgressLine {
	readonly #begun = performance.now();
	/** Somebody may see it. */
	readonly isShown: boolean;
	#stepBegun = performance.now();
	#step = '';
	#last = 0;
	#width = 0;
	readonly #columns: number;

	/** @param isShown - standard error is a terminal */
	constructor(isShown = process.stderr.isTTY === true, columns = process.stderr.columns ?? 80) {
		this.isShown = isShown;
		// A line that is broken in two cannot be taken away.
		this.#columns = columns - 1;
	}

	/** @param total - 0 where nobody knows it */
	readonly update = (step: string, done: number, total: number): void => {
		const now = performance.now();
		if (step !== this.#step) this.#stepBegun = now;
		const isNew = step !== this.#step;
		this.#step = step;
		if (!this.isShown || now - this.#begun < quietMs || (!isNew && now - this.#last < betweenMs)) return;
		this.#last = now;
		const far = howFar(done, total, now - this.#stepBegun);
		const text = `openvmm: ${printable(step).slice(0, Math.max(8, this.#columns - 'openvmm: '.length - far.length))}${far}`;
		print(2, `\r${text.padEnd(this.#width)}`);
		this.#width = text.length;
	};

	/** Takes the line away. */
	clear(): void {
		if (this.#width > 0) print(2, `\r${' '.repeat(this.#width)}\r`);
		this.#width = 0;
	}
}

/** Waits for what nobody can tell how far it is, and says meanwhile how long it takes at most. @param mostMs - 0 where nobody waits */
export async function whileWaiting<T>(step: string, mostMs: number, work: Promise<T>): Promise<T> {
	const line = new ProgressLine();
	const begun = performance.now();
	const timer = setInterval(() => {
		const waited = performance.now() - begun;
		if (waited < mostMs) line.update(step, waited, mostMs);
	}, betweenMs);
	try {
		return await work;
	} finally {
		clearInterval(timer);
		line.clear();
	}
}

/** How far it is, and how long it takes still at the speed so far. */
export function howFar(done: number, total: number, spentMs: number): string {
	if (total <= 0 || done <= 0) return '…';
	const share = Math.min(1, done / total);
	const left = Math.ceil((spentMs / share - spentMs) / 1000);
	return `: ${Math.floor(share * 100)} %${left > 0 ? `, ${left} s left` : ''}`;
}
