import {basename} from 'node:path';
import {findMachine} from '#main/control';
import {isVmmError} from '#support/errors';
import {guestSide, hostSide} from './copy-sides.ts';
import {copyTree, destination, type FileSide} from './copy-tree.ts';
import {cliError} from './errors.ts';
import {connectGuest} from './guest-connection.ts';
import {print, printBytes} from './print.ts';
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
		const report = {
			progress: line.update,
			skipped: (left: string) => print(2, `openvmm: ${left} is neither a file, a folder nor a link, and is left out\n`),
		};
		if (from.machine === undefined && from.path === stream) {
			const {extractInto} = await import('./copy-archive.ts');
			await extractInto(process.stdin, guest, to.path, report);
			return 0;
		}
		const path = from.path.replace(/(?<=.)\/+$/, '');
		if (to.machine === undefined && to.path === stream) {
			const {archiveOf} = await import('./copy-archive.ts');
			for await (const bytes of archiveOf(guest, path, basename(path), report)) printBytes(1, Buffer.from(bytes));
			return 0;
		}
		const target = await destination(sideOf(to), to.path, basename(path));
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
