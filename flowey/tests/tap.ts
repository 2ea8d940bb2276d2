/** Reads the test protocol that AVA prints with `--tap`, as it comes (TAP version 13, testanything.org). */

/** One test's outcome. */
export interface TestOutcome {
	readonly title: string;
	readonly outcome: 'passed' | 'failed' | 'skipped';
	/** The reporter's words about a failure, line by line. */
	readonly details: readonly string[];
}

/** Counts over a run. */
export interface TestCounts {
	passed: number;
	failed: number;
	skipped: number;
}

const RESULT = /^(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO).*)?$/;

/** Turns the text of a run, in pieces of any size, into outcomes and counts. */
export class TapReader {
	readonly counts: TestCounts = {passed: 0, failed: 0, skipped: 0};
	readonly #onTest: (test: TestOutcome) => void;
	#rest = '';
	#failure: {title: string; details: string[]} | undefined;

	constructor(onTest: (test: TestOutcome) => void) {
		this.#onTest = onTest;
	}

	/** Takes the next piece. */
	push(text: string): void {
		const lines = (this.#rest + text).split('\n');
		this.#rest = lines.pop() ?? '';
		for (const line of lines) {
			this.#line(line.replace(/\r$/, ''));
		}
	}

	/** Call after the last piece. */
	end(): TestCounts {
		this.push('\n');
		this.#finishFailure();
		return this.counts;
	}

	#line(line: string): void {
		const match = RESULT.exec(line);
		if (match === null) {
			this.#detail(line);
			return;
		}
		this.#finishFailure();
		const title = match[2] ?? '';
		if (match[3] !== undefined) {
			this.counts.skipped += 1;
			this.#onTest({title, outcome: 'skipped', details: []});
		} else if (match[1] === undefined) {
			this.counts.passed += 1;
			this.#onTest({title, outcome: 'passed', details: []});
		} else {
			this.counts.failed += 1;
			this.#failure = {title, details: []};
		}
	}

	/** A failure is reported once its details are complete: they end with a line of three dots. What the test has logged comes first. */
	#detail(line: string): void {
		if (this.#failure === undefined) return;
		if (line.startsWith('#   ')) this.#failure.details.push(line);
		else if (line.startsWith('  ')) {
			if (line === '  ...') {
				this.#finishFailure();
			} else if (line !== '  ---') {
				this.#failure.details.push(line);
			}
		}
	}

	#finishFailure(): void {
		if (this.#failure !== undefined) {
			this.#onTest({...this.#failure, outcome: 'failed'});
			this.#failure = undefined;
		}
	}
}
