import {
	type ImageFacts,
	inspectImage,
	listImages,
	loadImage,
	type OpenOperation,
	type OpenStep,
	pruneImages,
	pullImage,
	type Removed,
	removeImage,
} from '#main/oci';
import {cliError} from './errors.ts';
import {exitStatuses, statusOfError} from './exit-status.ts';
import {givenUpBySignals, withProgress} from './given-up.ts';
import type {FlagValues} from './parse.ts';
import {print, printable} from './print.ts';
import {table} from './table.ts';
import type {Environment} from './to-config.ts';

type Flags = FlagValues<string>;
type Words = readonly string[];

/** What each command does with its words. @returns the status to end with */
const imageCommands = {
	async 'image ls'(_words: Words, flags: Flags) {
		const found = await listImages(cacheOf(flags));
		if (flags.has('json')) return say(JSON.stringify(found, undefined, 2));
		const rows = found.map(({name, digest, size, time}) => [name, digest.slice(7, 19), megabytes(size), dateOf(time)]);
		return say(table([['NAME', 'DIGEST', 'SIZE', 'FETCHED'], ...rows]).trimEnd());
	},
	async 'image pull'(words: Words, flags: Flags, env: Environment) {
		const image = wordOf(words, 0, 'NAME', 'image pull');
		const user = flags.last('user');
		const password = env['OPENVMM_REGISTRY_PASSWORD'];
		if (user !== undefined && password === undefined)
			throw cliError('CLI_FLAG_NEEDS', {flag: '--user', needed: 'OPENVMM_REGISTRY_PASSWORD in the environment'});
		const request = {
			image,
			...cacheOf(flags),
			...(flags.has('plain-http') && {plainHttp: true}),
			...(user !== undefined && password !== undefined && {credentials: {user, password}}),
		};
		return saidFacts(await fetching(flags, (asked) => pullImage(request, asked)));
	},
	async 'image load'(words: Words, flags: Flags) {
		const path = wordOf(words, 0, 'PATH', 'image load');
		const name = wordOf(words, 1, 'NAME', 'image load');
		return saidFacts(await fetching(flags, (asked) => loadImage(path, name, cacheOf(flags), asked)));
	},
	async 'image inspect'(words: Words, flags: Flags) {
		const facts = await inspectImage(wordOf(words, 0, 'NAME', 'image inspect'), cacheOf(flags));
		return say(JSON.stringify(facts, undefined, 2));
	},
	async 'image rm'(words: Words, flags: Flags) {
		const name = wordOf(words, 0, 'NAME', 'image rm');
		return saidRemoved(await withProgress('image rm', (asked) => removeImage(name, cacheOf(flags), asked)));
	},
	async 'image prune'(_words: Words, flags: Flags) {
		return saidRemoved(await withProgress('image prune', (asked) => pruneImages(cacheOf(flags), asked)));
	},
} as const;

/** Does what a command on images of containers asks for. @throws VmmError CLI_*, OCI_*, REGISTRY_*, OPERATION_ABORTED */
export const runImageCommand = (
	command: keyof typeof imageCommands,
	words: Words,
	flags: Flags,
	env: Environment,
): Promise<number> => imageCommands[command](words, flags, env);

function wordOf(words: Words, index: number, argument: string, command: string): string {
	const word = words[index];
	if (word === undefined) throw cliError('CLI_ARGUMENT_MISSING', {argument, help: `openvmm ${command} --help`});
	return word;
}

function cacheOf(flags: Flags): {readonly cache?: string} {
	const cache = flags.last('cache');
	return cache === undefined ? {} : {cache};
}

function say(text: string): number {
	print(1, `${text}\n`);
	return exitStatuses.ok.status;
}

const saidFacts = ({name, digest}: ImageFacts): number => say(`${printable(name)}@${digest}`);

function saidRemoved({names, files, bytes, left}: Removed): number {
	say([...names.map((name) => `removed ${printable(name)}`), `${files} files, ${megabytes(bytes)}`].join('\n'));
	if (left === 0) return exitStatuses.ok.status;
	print(2, `openvmm: ${left} files are left, which image prune takes\n`);
	return statusOfError('OPERATION_ABORTED');
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MB`;
const dateOf = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');

/** Work that says how far it is, and that signals give up. */
async function fetching<T>(flags: Flags, work: (asked: OpenOperation) => Promise<T>): Promise<T> {
	const isTerminal = process.stderr.isTTY === true;
	const line = imageProgress(isTerminal, (text) => print(2, text));
	const shown = (flags.has('progress') || isTerminal) && {progress: line.show};
	try {
		return await givenUpBySignals((signal) => work({signal, ...shown}));
	} finally {
		line.end();
	}
}

const stepTexts: Readonly<Record<OpenStep, string>> = {
	resolve: 'looks for the image',
	download: 'fetches its layers',
	unpack: 'unpacks them',
	write: 'writes its root',
};

/** What it takes until a rate is told; and how often a line changes. */
const [settledMs, shownMs] = [1000, 200];

/**
 * Says how far an image is, and how long it takes yet: on a terminal in one line that changes, elsewhere in a line for each step.
 * @param now - milliseconds of a clock that only goes forward
 */
export function imageProgress(isTerminal: boolean, say: (text: string) => void, now = () => performance.now()) {
	let step: OpenStep | undefined;
	let [began, shown, first] = [0, Number.NEGATIVE_INFINITY, 0];
	return {
		show(next: OpenStep, done: number, total: number): void {
			const time = now();
			const isNew = next !== step;
			if (isNew) {
				[step, began, first] = [next, time, done];
				if (!isTerminal) say(`openvmm: ${stepTexts[next]}${total > 0 ? ` (${megabytes(total)})` : ''}\n`);
			}
			if (!isTerminal || (!isNew && time - shown < shownMs)) return;
			shown = time;
			const percent = total > 0 ? `: ${Math.floor((done / total) * 100)} % of ${megabytes(total)}` : '';
			const rate = (done - first) / (time - began);
			const isSettled = time - began >= settledMs && rate > 0 && total > 0;
			const left = isSettled ? `, ${Math.ceil((total - done) / rate / 1000)} s left` : '';
			say(`\ropenvmm: ${stepTexts[next]}${percent}${left}\x1b[K`);
		},
		/** What is said next begins a line. */
		end(): void {
			if (isTerminal && step !== undefined) say('\r\x1b[K');
		},
	};
}
