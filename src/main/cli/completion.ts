import type {Operation} from '#main/operations';
import type {Vm} from '#main/vm';

/** Continuations of the line, and the part of it that this replaces, as readline wants it. */
export type Completion = [string[], string];

/** Completes a console line: the command, then a path in the machine's tree where the command takes one. */
export async function complete(
	line: string,
	commands: readonly {readonly names: readonly string[]; readonly operation?: Operation}[],
	machine: Pick<Vm, 'inspect'>,
): Promise<Completion> {
	const words = line.split(' ');
	const last = words.at(-1) ?? '';
	const names = commands.flatMap((command) => command.names);
	if (words.length === 1) return [names.filter((name) => name.startsWith(last)), last];
	const command = commands.find((candidate) => candidate.names.includes(words[0] ?? ''));
	const takesPath = Object.values(command?.operation?.params ?? {}).some(({kind}) => kind.isTreePath);
	if (!takesPath || last.startsWith('-')) return [[], last];
	return [await pathsFrom(last, machine), last];
}

/** The nodes whose path begins so; an object ends in a slash, to go on from there. */
async function pathsFrom(begin: string, machine: Pick<Vm, 'inspect'>): Promise<string[]> {
	const parent = begin.slice(0, begin.lastIndexOf('/') + 1);
	try {
		const result = await machine.inspect(parent, {depth: 1});
		if (result.kind !== 'object') return [];
		const paths = result.children.map(([name, child]) => {
			const isObject = child.kind === 'object' || (child.kind === 'unresolved' && child.why === 'depth');
			return `${parent}${name}${isObject ? '/' : ''}`;
		});
		return paths.filter((path) => path.startsWith(begin));
	} catch {
		// There is no such parent.
		return [];
	}
}
