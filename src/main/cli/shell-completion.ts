import type {Command, CommandFlag} from './commands.ts';
import {completionScripts} from './completion-scripts.ts';
import {cliError} from './errors.ts';
import {print} from './print.ts';

/** What a shell may put in the place of the last word. */
export interface ShellCompletion {
	readonly words: readonly string[];
	/** The names of files, too. */
	readonly files: boolean;
}

/** What is looked up when it is asked for: it takes its time. */
export interface CompletionLookups {
	machines(which: 'running' | 'all'): Promise<readonly string[]>;
	images(): Promise<readonly string[]>;
}

/** A flag as far as it matters here. */
type Known = CommandFlag & {readonly choices?: readonly string[]};

/** Commands that are for machines that have ended too. */
const forEnded = ['logs', 'rm'];

const onlyFiles: ShellCompletion = {words: [], files: true};
const nothing: ShellCompletion = {words: [], files: false};

/**
 * Completes a line of a shell.
 * @param words - those behind the program's name, of which the last is to be completed, and may be empty
 * @param machineFlags - flags of `openvmm` without a command
 */
export async function completeWords(
	words: readonly string[],
	commands: ReadonlyMap<string, Command>,
	machineFlags: readonly Known[],
	lookups: CompletionLookups,
): Promise<ShellCompletion> {
	const last = words.at(-1) ?? '';
	const before = words.slice(0, -1);
	const found = await candidates(before, last, {commands, machineFlags, lookups});
	return {...found, words: found.words.filter((word) => word.startsWith(last)).sort()};
}

interface Line {
	readonly commands: ReadonlyMap<string, Command>;
	readonly machineFlags: readonly Known[];
	readonly lookups: CompletionLookups;
}

async function candidates(before: readonly string[], last: string, known: Line): Promise<ShellCompletion> {
	const {commands, machineFlags, lookups} = known;
	const [first, second] = before;
	if (first === undefined && !last.startsWith('-'))
		return {words: [...new Set([...commands.keys()].map((name) => name.split(' ')[0] as string))], files: false};
	const pair = `${first} ${second}`;
	const name = commands.has(pair) ? pair : (first ?? '');
	const parts = [...commands.keys()].filter((each) => each.startsWith(`${name} `));
	if (parts.length > 0 && before.length === 1 && !last.startsWith('-'))
		return {words: parts.map((each) => each.slice(name.length + 1)), files: false};
	const command = commands.get(name);
	const flags: readonly Known[] = command?.flags ?? machineFlags;
	const place = placeOf(before.slice(command === undefined ? 0 : name.split(' ').length), flags, command?.flagsEndAt);
	if (place.flag !== undefined) return valuesOf(place.flag);
	if (place.isOver) return onlyFiles;
	if (last.startsWith('-')) return {words: flags.flatMap(written), files: false};
	const wanted = command?.words?.[Math.min(place.words, (command.words.length || 1) - 1)];
	if (wanted === undefined) return command === undefined ? onlyFiles : nothing;
	return wordsFor(name, wanted, last, lookups);
}

const written = ({name, short}: Known): string[] => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];

/** Where on the line the last word is: it is the value of a flag, so many words are before it, or what is there is for the guest. */
function placeOf(before: readonly string[], flags: readonly Known[], flagsEndAt = Number.POSITIVE_INFINITY) {
	let words = 0;
	let flag: Known | undefined;
	for (const word of before) {
		if (flag !== undefined) flag = undefined;
		else if (word === '--') return {words, flag: undefined, isOver: true};
		else if (word.startsWith('-'))
			flag = flags.find((each) => each.value !== undefined && written(each).includes(word));
		else words++;
		if (words >= flagsEndAt) return {words, flag: undefined, isOver: true};
	}
	return {words, flag, isOver: false};
}

const valuesOf = ({choices}: Known): ShellCompletion =>
	choices === undefined ? onlyFiles : {words: choices, files: false};

async function wordsFor(
	command: string,
	wanted: string,
	last: string,
	lookups: CompletionLookups,
): Promise<ShellCompletion> {
	switch (wanted.replace(/[[\]\u2026]/g, '')) {
		case 'NAME':
			if (command.startsWith('image ')) return {words: await lookups.images(), files: false};
			return {words: await lookups.machines(forEnded.includes(command) ? 'all' : 'running'), files: false};
		case 'IMAGE':
			return {words: await lookups.images(), files: true};
		case 'FROM':
		case 'TO':
			return last.includes(':')
				? nothing
				: {words: (await lookups.machines('running')).map((name) => `${name}:`), files: true};
		case 'SHELL':
			return {words: ['bash', 'zsh', 'fish'], files: false};
		default:
			return onlyFiles;
	}
}

const hostLookups: CompletionLookups = {
	async machines(which) {
		const {isRunning, listMachines} = await import('#main/control');
		const machines = await listMachines();
		return machines.filter((each) => which === 'all' || isRunning(each)).map(({name}) => name);
	},
	async images() {
		const {listImages} = await import('#main/oci');
		return (await listImages()).map(({name}) => name);
	},
};

/** `openvmm completion SHELL`, and what its script asks. @throws VmmError CLI_ARGUMENT_MISSING, CLI_WORD_UNKNOWN */
export async function printCompletion(
	[shell, ...words]: readonly string[],
	commands: ReadonlyMap<string, Command>,
): Promise<number> {
	const help = 'openvmm completion --help';
	if (shell === undefined) throw cliError('CLI_ARGUMENT_MISSING', {argument: 'SHELL', help});
	if (shell === 'words') {
		const {flags} = await import('./flags.ts');
		const found = await completeWords(words, commands, flags, hostLookups);
		print(1, [found.files ? 'files' : 'words', ...found.words].map((line) => `${line}\n`).join(''));
		return 0;
	}
	const script = Object.hasOwn(completionScripts, shell) ? completionScripts[shell] : undefined;
	if (script === undefined)
		throw cliError('CLI_WORD_UNKNOWN', {word: shell, known: Object.keys(completionScripts).join(', '), help});
	print(1, script);
	return 0;
}
