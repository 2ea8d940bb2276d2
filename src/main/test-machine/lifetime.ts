/** Work that is done when a test has ended. */
type AtEnd = () => Promise<void>;

/** A test of AVA's: its first parameter. */
interface AvaTest {
	teardown(work: AtEnd): void;
	readonly passed: boolean;
	log(...values: string[]): void;
}

/** A test of Node.js's: its first parameter. */
interface NodeTest {
	after(work: AtEnd): void;
	/** Of Node.js 22 on. */
	readonly passed?: boolean;
	readonly error?: unknown;
	diagnostic(message: string): void;
}

/** A test of Vitest's: its first parameter. */
interface VitestTest {
	onTestFinished(work: AtEnd): void;
	readonly task: {readonly result?: {readonly state: string; readonly errors?: readonly unknown[]} | undefined};
}

/** What a test runner gives to a test, by which something lives as long as the test does. */
export type TestLifetime = AvaTest | NodeTest | VitestTest;

/** What a test's end is to those who clean up behind it. */
export interface TestEnd {
	readonly hasFailed: boolean;
	readonly error: unknown;
	/** Tells a person something about the test. */
	readonly tell: (message: string) => void;
}

/** Has work done when a test ends. */
export function atEndOf(test: TestLifetime, work: (end: TestEnd) => Promise<void>): void {
	if ('teardown' in test) {
		test.teardown(() => work({hasFailed: !test.passed, error: undefined, tell: (message) => test.log(message)}));
	} else if ('after' in test) {
		const tell = (message: string) => test.diagnostic(message);
		test.after(() => work({hasFailed: test.passed === false, error: test.error ?? undefined, tell}));
	} else {
		test.onTestFinished(() => {
			const {state, errors = []} = test.task.result ?? {state: 'pass'};
			// It has no way to say something of a test but this.
			return work({hasFailed: state === 'fail', error: errors[0], tell: (message) => console.error(message)});
		});
	}
}
