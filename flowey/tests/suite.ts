/** Test suites and the table that a test run ends with. */

import {formatTable} from '../core/index.ts';

/** Result of one suite in one place. */
export interface SuiteResult {
	readonly suite: string;
	/** `host`, `host KVM`, `incubator`, or `nowhere`. */
	readonly where: string;
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
	/** Reason for its not running, or its failure as a whole. */
	readonly why: string;
	/** The signal that a test's process died of. */
	readonly crash?: string;
	/** What failed, told once more at the end: of a long log often only that is kept. */
	readonly failures?: readonly TestFailure[];
}

/** A test that failed. */
export interface TestFailure {
	readonly title: string;
	/** The reporter's words, line by line. */
	readonly details: readonly string[];
}

/** Most lines of one failure's details at the end of a run: as many of their beginning as of their end. */
const MAX_DETAILS = 24;

/** Runs of one suite in one place as one row. @param results - at least one */
export function mergeResults(results: readonly SuiteResult[]): SuiteResult {
	const [{suite, where}] = results as [SuiteResult];
	const sum = (key: 'passed' | 'failed' | 'skipped') => results.reduce((total, result) => total + result[key], 0);
	const why = results.flatMap((result) => (result.why === '' ? [] : [result.why])).join('; ');
	const failures = results.flatMap((result) => result.failures ?? []);
	return {suite, where, passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped'), why, failures};
}

const HEADINGS = ['suite', 'where', 'passed', 'failed', 'skipped', 'why'];

/** What failed, the table and the line of totals. */
export function formatResults(results: readonly SuiteResult[]): string {
	const rows = results.map(({suite, where, passed, failed, skipped, why}) =>
		[suite, where, passed, failed, skipped, why].map(String),
	);
	const {passed, failed, skipped, failures = []} = mergeResults(results);
	return `${failures.map(formatFailure).join('')}${formatTable(HEADINGS, rows)}\n${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}

/** The full details are above, where the test ran. */
function formatFailure({title, details}: TestFailure): string {
	const half = MAX_DETAILS / 2;
	const left = details.length - MAX_DETAILS;
	const lines =
		left > 0 ? [...details.slice(0, half), `  (${left} more lines above)`, ...details.slice(-half)] : details;
	return `FAILED  ${title}\n${lines.map((line) => `      ${line}\n`).join('')}\n`;
}
