import {basename, posix, resolve} from 'node:path';
import {findMachine} from '#main/control';
import {isVmmError} from '#support/errors';
import {guestSide, hostSide} from './copy-sides.ts';
import {bytesIn, copyTree, destination, type FileSide} from './copy-tree.ts';
import {cliError} from './errors.ts';
import {statusOfSignal} from './exit-status.ts';
import {connectGuest} from './guest-connection.ts';
import {Output} from './output.ts';
import {print, printable} from './print.ts';
import {ProgressLine} from './progress-line.ts';

/** One end of a copy as a person writes it: a path of the host, or `NAME:PATH`. */
interface Place {
	readonly machine: string | undefined;
	readonly path: string;
}

/** Stands for standard input and output, which are an archive of tar then. */
const stream = '-';

/** What begins with a dot or a slash is a path of the host, whatever colons it has. */
export function parsePlace(text: string): Place {
	const [, machine, path] = /^([a-z_0-9][\w.-]*):(.*)$/is.exec(text) ?? [];
	return machine === undefined || path === undefined ? {machine: undefined, path: text} : {machine, path};
}

/** `openvmm cp FROM TO`. @throws VmmError CLI_*, CONTROL_*, AGENT_* */
export async function copy([fromText, toText]: readonly string[]): Promise<number> {
	if (fromText === undefined || toText === undefined)
		throw cliError('CLI_ARGUMENT_MISSING', {
			argument: fromText === undefined ? 'FROM' : 'TO',
			help: 'openvmm cp --help',
		});
	const [from, to] = [parsePlace(fromText), parsePlace(toText)];
	const name = from.machine ?? to.machine;
	if (name === undefined || (from.machine !== undefined && to.machine !== undefined))
		throw cliError('CLI_COPY_ENDS', {from: fromText, to: toText});
	for (const {machine, path} of [from, to])
		if (machine !== undefined && !path.startsWith('/')) throw cliError('CLI_COPY_PATH', {machine, path});
	await using agent = await connectGuest(await findMachine(name));
	const guest = guestSide(agent.files);
	const sideOf = ({machine}: Place): FileSide => (machine === undefined ? hostSide : guest);
	const line = new ProgressLine();
	try {
		let total = 0;
		const progress = progressOf((done) => line.update('cp', done, total));
		const skipped = (left: string) => {
			line.clear();
			print(2, `openvmm: ${printable(left)} is neither a file, a folder nor a link, and is left out\n`);
		};
		const report = {progress, skipped};
		if (from.machine === undefined && from.path === stream) {
			const {extractInto} = await import('./copy-archive.ts');
			await extractInto(process.stdin, guest, to.path, report);
			return 0;
		}
		const path = from.path.replace(/(?<=.)\/+$/, '');
		const fromName = nameOf(from, path);
		if (line.isShown) total = await bytesIn(sideOf(from), path);
		if (to.machine === undefined && to.path === stream) {
			const {archiveOf} = await import('./copy-archive.ts');
			return await writeOut(archiveOf(guest, path, fromName === '' ? '.' : fromName, report));
		}
		const target = await destination(sideOf(to), to.path, fromName);
		await copyTree({side: sideOf(from), path}, {side: sideOf(to), path: target}, report);
		return 0;
	} catch (error) {
		if (isVmmError(error)) throw error;
		const reason = error instanceof Error ? error.message : String(error);
		throw cliError('CLI_COPY_FAILED', {from: fromText, to: toText, reason}, {cause: error});
	} finally {
		line.clear();
	}
}

/** The name that a copy gets in a folder: none for a root, and `.` for the folder that is there. */
export function nameOf({machine}: Place, path: string): string {
	const name = basename(path);
	// In a folder `..` would be what is above it.
	return name === '..' ? basename(machine === undefined ? resolve(path) : posix.resolve('/', path)) : name;
}

/** Adds up what is told of each file. */
function progressOf(tell: (bytes: number) => void): (path: string, done: number) => void {
	let before = 0;
	let last = {path: '', done: 0};
	return (path, done) => {
		if (path !== last.path) before += last.done;
		last = {path, done};
		tell(before + done);
	};
}

/** Writes to standard output, as long as somebody reads it. @throws Error where it cannot be written to */
async function writeOut(pieces: AsyncIterable<Uint8Array>): Promise<number> {
	const output = new Output(1);
	try {
		for await (const bytes of pieces) {
			const errno = await output.write(bytes);
			if (errno === 'EPIPE') return statusOfSignal('SIGPIPE');
			if (errno !== undefined) throw new Error(`standard output takes no more: ${errno}`);
		}
		return 0;
	} finally {
		output.close();
	}
}
