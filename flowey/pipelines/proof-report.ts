/** Results of the proof, as they are kept: a file for each part. */

import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {proofParts, type ShareResult} from '#test/processor/proof';
import {formatTable, PATHS} from '../core/index.ts';

/** Result of a part. */
export interface PartReport extends Required<ShareResult> {
	readonly part: string;
	readonly oracle: string;
	readonly unit: string;
	readonly seed: number;
	readonly seconds: number;
	/** The model of the host's processor. */
	readonly host: string;
	/** Why it did not run; empty if it did. */
	readonly why: string;
}

const folder = join(PATHS.build, 'proof');
const pathOf = (part: string): string => join(folder, `${part}.json`);

/** Keeps a result in place of the part's last one. */
export function keepReport(report: PartReport): void {
	mkdirSync(folder, {recursive: true});
	writeFileSync(pathOf(report.part), `${JSON.stringify(report, undefined, '\t')}\n`);
}

/** The last results of all parts that have one. */
export const keptReports = (): readonly PartReport[] =>
	proofParts
		.map(({name}) => pathOf(name))
		.filter((path) => existsSync(path))
		.map((path) => JSON.parse(readFileSync(path, 'utf8')) as PartReport);

const headings = ['part', 'oracle', 'compared', 'differ', 'seed', 'time', ''];

/** Results as a table for people. */
export function formatReports(reports: readonly PartReport[]): string {
	const rows = reports.map(({part, oracle, unit, cases, differing, seed, seconds, counts, why}) => [
		part,
		oracle,
		`${cases} ${unit}`,
		`${differing}`,
		`${seed}`,
		`${seconds.toFixed(0)} s`,
		[why, ...Object.entries(counts).map(([name, count]) => `${count} ${name}`)]
			.filter((text) => text !== '')
			.join(', '),
	]);
	return formatTable(headings, rows);
}
