import {print, printable} from './print.ts';

/** What takes no longer says nothing. */
const quietMs = 1000;
/** Milliseconds between two lines. */
export const betweenMs = 200;

/** Where a {@link ProgressLine} is shown. */
interface ProgressPlace {
	/** Somebody may see it: standard error is a terminal. */
	readonly isShown?: boolean;
	readonly columns?: number;
	readonly write?: (text: string) => void;
	/** Milliseconds of a clock that only goes forward. */
	readonly now?: () => number;
}

/** Says on a terminal how far something is, in one line that changes, when it takes longer than a second: also where nothing is told for long. */
export class ProgressLine {
	readonly isShown: boolean;
	readonly #columns: number;
	readonly #write: (text: string) => void;
	readonly #now: () => number;
	readonly #begun: number;
	#step: {readonly name: string; readonly begun: number; done: number; total: number} | undefined;
	#last = 0;
	#width = 0;
	#timer: NodeJS.Timeout | undefined;

	constructor({
		isShown = process.stderr.isTTY === true,
		columns = process.stderr.columns ?? 80,
		write = (text) => print(2, text),
		now = () => performance.now(),
	}: ProgressPlace = {}) {
		this.isShown = isShown;
		// A line that is broken in two cannot be taken away.
		this.#columns = columns - 1;
		this.#write = write;
		this.#now = now;
		this.#begun = now();
	}

	/** @param total - 0 where nobody knows it */
	readonly update = (step: string, done: number, total: number): void => {
		if (!this.isShown) return;
		const now = this.#now();
		const isNew = this.#step?.name !== step;
		this.#step = {name: step, begun: isNew ? now : (this.#step?.begun ?? now), done, total};
		if (isNew || now - this.#last >= betweenMs) this.#draw();
		// A step that tells nothing more goes on all the same.
		this.#timer ??= setInterval(() => this.#draw(), betweenMs).unref();
	};

	#draw(): void {
		const now = this.#now();
		if (this.#step === undefined || now - this.#begun < quietMs) return;
		this.#last = now;
		const {name, begun, done, total} = this.#step;
		const far = howFar(done, total, now - begun);
		const text = `openvmm: ${printable(name).slice(0, Math.max(8, this.#columns - 'openvmm: '.length - far.length))}${far}`;
		this.#write(`\r${text.padEnd(this.#width)}`);
		this.#width = text.length;
	}

	/** Takes the line away. */
	clear(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
		this.#step = undefined;
		if (this.#width > 0) this.#write(`\r${' '.repeat(this.#width)}\r`);
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

/** How far it is, and how long it takes still at the speed so far; for how long it has gone on, where nobody knows that. */
export function howFar(done: number, total: number, spentMs: number): string {
	const seconds = Math.floor(spentMs / 1000);
	if (total <= 0 || done <= 0) return seconds > 0 ? `… ${seconds} s` : '…';
	const share = Math.min(1, done / total);
	const left = Math.ceil((spentMs / share - spentMs) / 1000);
	return `: ${Math.floor(share * 100)} %${left > 0 ? `, ${left} s left` : ''}`;
}
