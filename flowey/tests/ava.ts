/** Runs AVA, on the host or elsewhere, and counts. */

import {join} from 'node:path';
import {execute, PATHS} from '../core/index.ts';
import type {SuiteResult, TestFailure} from './suite.ts';
import {TapReader, type TestOutcome} from './tap.ts';

/** Starts a process somewhere; both streams are delivered as they come. */
export type Launch = (
	argv: readonly string[],
	onStdout: (chunk: Uint8Array) => void,
	onStderr: (chunk: Uint8Array) => void,
) => Promise<{readonly status: number}>;

/** A run of test files, and its name. */
export interface AvaRun {
	readonly suite: string;
	readonly where: string;
	/** Starts AVA; `--tap` is added. */
	readonly argv: readonly string[];
	/** Print every test, not only those that failed. */
	readonly isVerbose: boolean;
	/** Stands in front of the titles, for runs side by side. */
	readonly label?: string;
	readonly launch: Launch;
}

/** AVA as it is installed, on the files that ava.config.js names. */
export const AVA_ARGV: readonly string[] = [process.execPath, join(PATHS.repo, 'node_modules/.bin/ava')];

/** A process of this machine. */
export const launchHere: Launch = ([command, ...words], onStdout, onStderr) =>
	execute(command ?? '', words, {cwd: PATHS.repo, onStdout, onStderr});

/** Runs AVA and prints what happens. */
export async function runAva({suite, where, argv, isVerbose, label, launch}: AvaRun): Promise<SuiteResult> {
	const decoder = new TextDecoder();
	let crash: string | undefined;
	const failures: TestFailure[] = [];
	const reader = new TapReader((test) => {
		const title = label === undefined ? test.title : `${label} › ${test.title}`;
		if (test.outcome === 'failed') {
			crash ??= /exited due to (SIG\w+)$/.exec(test.title)?.[1];
			failures.push({title, details: test.details});
		}
		printOutcome({...test, title}, isVerbose);
	});
	const {status} = await launch(
		[...argv, '--tap'],
		(chunk) => reader.push(decoder.decode(chunk, {stream: true})),
		(chunk) => process.stderr.write(chunk),
	);
	const counts = reader.end();
	const total = counts.passed + counts.failed + counts.skipped;
	const asWhole = (why: string): SuiteResult => {
		return {suite, where, ...counts, failed: 1, why, failures: [{title: label ?? suite, details: [why]}]};
	};
	if (total === 0) return asWhole(`AVA ran no test (status ${status})`);
	if (status !== 0 && counts.failed === 0) return asWhole(`AVA ended with status ${status}`);
	return {suite, where, ...counts, why: '', failures, ...(crash === undefined ? {} : {crash})};
}

function printOutcome({title, outcome, details}: TestOutcome, isVerbose: boolean): void {
	if (outcome === 'failed') {
		process.stdout.write(`  FAILED  ${title}\n${details.map((line) => `        ${line}\n`).join('')}`);
	} else if (isVerbose) {
		process.stdout.write(`  ${outcome.padEnd(7)} ${title}\n`);
	}
}
