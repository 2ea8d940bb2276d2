/** Runs the proof of the software processor. */

import {mkdirSync, writeFileSync} from 'node:fs';
import {availableParallelism} from 'node:os';
import {join} from 'node:path';
import {parseArgs} from 'node:util';
import {PartProcesses, type ProofPart, proofParts, sumOf} from '#test/processor/proof';
import {type Command, PATHS, WordsError} from '../core/index.ts';

const resultFolder = join(PATHS.build, 'proof');
/** Between two lines of progress where nobody watches. */
const progressMs = 15_000;
const redrawMs = 500;

/** Result of a part, as it is kept in its file. */
export interface PartReport {
	readonly part: string;
	readonly oracle: string;
	readonly unit: string;
	readonly seed: number;
	readonly cases: number;
	readonly differing: number;
	readonly differences: readonly string[];
	readonly seconds: number;
	readonly counts: Readonly<Record<string, number>>;
	readonly forms: Readonly<Record<string, number>>;
	/** Why it did not run. */
	readonly why: string;
}

/** All that shows that the software processor is right, as far as this machine can. */
export const proofCommand: Command = {
	name: 'proof',
	usage: '[--only PART] [--cases NUMBER] [--seed NUMBER] [--processes NUMBER]',
	summary: `Compare the software processor with its oracles, more often than npm test does; results are kept in .build/proof/. Parts: ${proofParts.map(({name}) => name).join(', ')}`,
	async run(words) {
		const {values} = parseArgs({
			args: [...words],
			options: {
				only: {type: 'string', multiple: true},
				cases: {type: 'string'},
				seed: {type: 'string', default: '1'},
				processes: {type: 'string', default: String(availableParallelism())},
			},
		});
		const parts = chosenParts(values.only);
		const seed = numberOf('seed', values.seed, 0);
		const cases = values.cases === undefined ? undefined : numberOf('cases', values.cases, 1);
		using processes = new PartProcesses(numberOf('processes', values.processes, 1));
		mkdirSync(resultFolder, {recursive: true});
		const reports: PartReport[] = [];
		for (const part of parts) {
			const report = await runPart(processes, part, seed, cases ?? part.whole);
			writeFileSync(join(resultFolder, `${part.name}.json`), `${JSON.stringify(report, undefined, '\t')}\n`);
			for (const text of report.differences) process.stdout.write(`${part.name}: ${text}\n`);
			reports.push(report);
		}
		process.stdout.write(`\n${tableOf(reports)}`);
		return reports.every(({differing}) => differing === 0) ? 0 : 1;
	},
};

function chosenParts(names: readonly string[] | undefined): readonly ProofPart[] {
	const unknown = names?.find((name) => !proofParts.some((part) => part.name === name));
	const known = proofParts.map(({name}) => name).join(', ');
	if (unknown !== undefined) throw new WordsError(`There is no part ${unknown}`, `They are ${known}.`);
	return proofParts.filter(({name}) => names?.includes(name) ?? true);
}

function numberOf(option: string, text: string, least: number): number {
	const value = Number(text);
	if (Number.isSafeInteger(value) && value >= least) return value;
	throw new WordsError(`--${option} is ${text}`, `It is a whole number from ${least} on.`);
}

async function runPart(processes: PartProcesses, part: ProofPart, seed: number, count: number): Promise<PartReport> {
	const {name, oracle, unit} = part;
	const why = part.obstacle() ?? '';
	const progress = new Progress(name, unit, why === '' ? count : 0);
	const results =
		why === ''
			? await processes.run(part, {
					seed,
					count,
					progress: (one) => progress.add(one),
					tell: (text) => progress.tell(text),
				})
			: [];
	const seconds = progress.end();
	return {part: name, oracle, unit, seed, ...sumOf(results), seconds, why};
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

const headings = ['part', 'oracle', 'cases', 'differ', 'seed', 'time', ''];

function tableOf(reports: readonly PartReport[]): string {
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
	const all = [headings, ...rows];
	const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
	const line = (row: readonly string[]) =>
		row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join('  ')
			.trimEnd();
	return `${all.map(line).join('\n')}\n`;
}
