/** Test suites and the table that a test run ends with. */

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
}

/** Runs of one suite in one place as one row. @param results - at least one */
export function mergeResults(results: readonly SuiteResult[]): SuiteResult {
	const [{suite, where}] = results as [SuiteResult];
	const sum = (key: 'passed' | 'failed' | 'skipped') => results.reduce((total, result) => total + result[key], 0);
	const why = results.flatMap((result) => (result.why === '' ? [] : [result.why])).join('; ');
	return {suite, where, passed: sum('passed'), failed: sum('failed'), skipped: sum('skipped'), why};
}

const HEADINGS = ['suite', 'where', 'passed', 'failed', 'skipped', 'why'];

/** The table and the line of totals. */
export function formatResults(results: readonly SuiteResult[]): string {
	const rows = [
		HEADINGS,
		...results.map(({suite, where, passed, failed, skipped, why}) =>
			[suite, where, passed, failed, skipped, why].map(String),
		),
	];
	const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
	const lines = rows.map((row) =>
		row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join('  ')
			.trimEnd(),
	);
	const {passed, failed, skipped} = mergeResults(results);
	return `${lines.join('\n')}\n\n${passed} passed, ${failed} failed, ${skipped} skipped\n`;
}
