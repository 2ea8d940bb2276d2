/** Runs the proof of the software processor. */

import {writeFileSync} from 'node:fs';
import {availableParallelism, cpus} from 'node:os';
import {join, relative} from 'node:path';
import {parseArgs} from 'node:util';
import {coverage, PartProcesses, type ProofPart, proofParts, type Share, sumOf} from '#test/processor/proof';
import {type Command, PATHS, WordsError} from '../core/index.ts';
import {proofPage} from './proof-page.ts';
import {formatReports, keepReport, keptReports, type PartReport} from './proof-report.ts';

const page = join(PATHS.repo, 'guide/reference/processor-proof.md');
/** Between two lines of progress where nobody watches. */
const progressMs = 15_000;
const redrawMs = 500;
const partNames = proofParts.map(({name}) => name).join(', ');

/** All that shows that the software processor is right, as far as this machine can. */
export const proofCommand: Command = {
	name: 'proof',
	usage: '[--only PART] [--cases NUMBER] [--seed NUMBER] [--first NUMBER] [--processes NUMBER] | --page',
	summary: `Compare the software processor with its oracles, more often than npm test does; results are kept in .build/proof/, of which --page makes a page of the guide. Parts: ${partNames}`,
	async run(words) {
		const {values} = parseArgs({
			args: [...words],
			options: {
				only: {type: 'string', multiple: true},
				cases: {type: 'string'},
				seed: {type: 'string', default: '1'},
				first: {type: 'string', default: '0'},
				processes: {type: 'string', default: String(availableParallelism())},
				page: {type: 'boolean', default: false},
			},
		});
		if (values.page) return writePage();
		const parts = chosenParts(values.only);
		const seed = numberOf('seed', values.seed, 0);
		const first = numberOf('first', values.first, 0);
		const cases = values.cases === undefined ? undefined : numberOf('cases', values.cases, 1);
		using processes = new PartProcesses(numberOf('processes', values.processes, 1));
		const reports: PartReport[] = [];
		for (const part of parts) {
			// One boot is enough, whatever is asked of cases.
			const count = part.whole === 1 ? 1 : (cases ?? part.whole);
			const report = await runPart(processes, part, {seed, first, count});
			// A few cases, or one again, do not take the place of a run of the whole.
			if (report.why === '' && first === 0 && count >= Math.min(part.whole, part.share)) keepReport(report);
			for (const text of report.differences) process.stdout.write(`${part.name}: ${text}\n`);
			reports.push(report);
		}
		process.stdout.write(`\n${formatReports(reports)}`);
		return reports.every(({differing}) => differing === 0) ? 0 : 1;
	},
};

function writePage(): number {
	const reports = keptReports();
	if (reports.length === 0) throw new WordsError('There are no results', 'Run the proof before, without --page.');
	writeFileSync(page, proofPage(reports, coverage()));
	process.stdout.write(`${relative(PATHS.repo, page)}\n`);
	return 0;
}

function chosenParts(names: readonly string[] | undefined): readonly ProofPart[] {
	const unknown = names?.find((name) => !proofParts.some((part) => part.name === name));
	if (unknown !== undefined) throw new WordsError(`There is no part ${unknown}`, `They are ${partNames}.`);
	return proofParts.filter(({name}) => names?.includes(name) ?? true);
}

function numberOf(option: string, text: string, least: number): number {
	const value = Number(text);
	if (Number.isSafeInteger(value) && value >= least) return value;
	throw new WordsError(`--${option} is ${text}`, `It is a whole number from ${least} on.`);
}

async function runPart(processes: PartProcesses, part: ProofPart, cases: Share): Promise<PartReport> {
	const {name, oracle, unit} = part;
	const {seed, count} = cases;
	const why = part.obstacle() ?? '';
	const progress = new Progress(name, unit, why === '' ? count : 0);
	const results =
		why === ''
			? await processes.run(part, {
					...cases,
					progress: (one) => progress.add(one),
					tell: (text) => progress.tell(text),
				})
			: [];
	const seconds = progress.end();
	const host = cpus()[0]?.model ?? 'unknown';
	return {part: name, oracle, unit, seed, ...sumOf(results), seconds, host, why};
}

/** What a part has come to so far: one line that changes on a terminal, else a line now and then. */
class Progress {
	readonly #name: string;
	readonly #unit: string;
	readonly #count: number;
	readonly #started = performance.now();
	#shown = 0;
	#cases = 0;
	#differing = 0;

	constructor(name: string, unit: string, count: number) {
		this.#name = name;
		this.#unit = unit;
		this.#count = count;
	}

	add({cases, differing}: {readonly cases: number; readonly differing: number}): void {
		this.#cases += cases;
		this.#differing += differing;
		const elapsed = performance.now() - this.#started;
		if (elapsed - this.#shown < (process.stderr.isTTY ? redrawMs : progressMs)) return;
		this.#shown = elapsed;
		const left = (elapsed / this.#cases) * (this.#count - this.#cases);
		this.#show(`${(elapsed / 1000).toFixed(0)} s, ${(left / 1000).toFixed(0)} s to go`, !process.stderr.isTTY);
	}

	/** A share says how far it is. */
	tell(text: string): void {
		this.#show(text, !process.stderr.isTTY);
	}

	/** @returns seconds that it took */
	end(): number {
		const seconds = (performance.now() - this.#started) / 1000;
		this.#show(`${seconds.toFixed(0)} s`, true);
		return seconds;
	}

	#show(time: string, isLine: boolean): void {
		const text = `${this.#name}: ${this.#cases} of ${this.#count} ${this.#unit}, ${this.#differing} differ, ${time}`;
		process.stderr.write(process.stderr.isTTY ? `\r\x1b[K${text}${isLine ? '\n' : ''}` : `${text}\n`);
	}
}
