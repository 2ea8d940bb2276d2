import type {SymbolTable} from '#main/symbols';
import {packageVersion} from '#main/version';
import {nameTree} from './frame-names.ts';
import type {GuestProfile} from './guest-profile.ts';
import type {SampleLog} from './sample-log.ts';

/** A file of one million samples may be longer than a string can be: it comes in pieces of about this many characters. */
const pieceLength = 2 ** 16;

/**
 * A profile as speedscope reads it (https://www.speedscope.app/file-format-schema.json): a profile for each processor, of stacks and the
 * milliseconds for which each stands.
 * @param name - what the page shows of it
 */
export function* speedscopeFile(profile: GuestProfile, symbols: SymbolTable, name: string): Generator<string> {
	const {names, stacks} = nameTree(profile.tree, symbols);
	const head = {
		$schema: 'https://www.speedscope.app/file-format-schema.json',
		exporter: `openvmm ${packageVersion()}`,
		name,
		activeProfileIndex: 0,
		shared: {frames: names.map((frame) => ({name: frame}))},
	};
	yield `${JSON.stringify(head).slice(0, -1)},"profiles":[\n`;
	for (const [index, log] of profile.logs.entries()) {
		if (index > 0) yield ',\n';
		yield* processorProfile(`CPU ${index}`, [...runs(log, stacks)]);
	}
	yield '\n]}\n';
}

interface Run {
	readonly stack: readonly number[];
	ms: number;
}

/** Entries that follow each other and have the same names are one. */
function* runs(log: SampleLog, stacks: readonly (readonly number[])[]): Generator<Run> {
	let run: Run | undefined;
	for (const {node, ms} of log) {
		const stack = stacks[node] as readonly number[];
		if (run?.stack === stack) {
			run.ms += ms;
			continue;
		}
		if (run !== undefined) yield run;
		run = {stack, ms};
	}
	if (run !== undefined) yield run;
}

function* processorProfile(name: string, entries: readonly Run[]): Generator<string> {
	const endValue = entries.reduce((sum, {ms}) => sum + ms, 0);
	const head = {type: 'sampled', name, unit: 'milliseconds', startValue: 0, endValue};
	yield `${JSON.stringify(head).slice(0, -1)},"samples":[`;
	yield* pieces(entries.map(({stack}) => stack));
	yield '],"weights":[';
	yield* pieces(entries.map(({ms}) => Math.round(ms * 1e6) / 1e6));
	yield ']}';
}

/** Values of a JSON array, without its brackets. */
function* pieces(values: readonly unknown[]): Generator<string> {
	let text = '';
	for (const [index, value] of values.entries()) {
		text += (index > 0 ? ',' : '') + JSON.stringify(value);
		if (text.length < pieceLength) continue;
		yield text;
		text = '';
	}
	yield text;
}
