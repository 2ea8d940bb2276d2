/** Test suites and the table that a test run ends with. */

/** How one suite went in one place. */
export interface SuiteResult {
	readonly suite: string;
	/** `host`, `host KVM`, `incubator`, or `nowhere`. */
	readonly where: string;
	readonly passed: number;
	readonly failed: number;
	readonly skipped: number;
	/** Why it did not run, or failed as a whole. */
	readonly why: string;
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
	const sum = (key: 'passed' | 'failed' | 'skipped') => results.reduce((total, result) => total + result[key], 0);
	return `${lines.join('\n')}\n\n${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped\n`;
}
