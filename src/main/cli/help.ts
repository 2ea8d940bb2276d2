import {machineOperations} from '#main/operations';
import {type Command, type CommandFlag, commands} from './commands.ts';
import {exitStatusRows} from './exit-status.ts';
import {environment, type Flag, flagGroups, flags} from './flags.ts';

/** Columns that the help may fill. */
const width = 100;
/** Column at which explanations begin. */
const indent = 36;

/** The text of `openvmm --help`. */
export function helpText(operations = machineOperations, known = flags): string {
	return [
		'openvmm: boots virtual machines, on KVM or on a processor of its own',
		'',
		'Usage: openvmm [FLAGS]            boot a machine',
		'       openvmm COMMAND [FLAGS]    see or change a running one',
		'',
		'Commands, each with a --help of its own:',
		...commandRows(operations).flatMap(([syntax, help]) => row(syntax, help)),
		'',
		...Object.entries(flagGroups).flatMap(([group, title]) => [
			`${title}:`,
			...known.filter((flag) => flag.group === group).flatMap((flag) => row(flagSyntax(flag), explanation(flag))),
			'',
		]),
		'Environment:',
		...environmentRows().flatMap(([name, text]) => row(name, text)),
		'',
		'Keys and console:',
		...row('Ctrl-Q', 'opens the openvmm> console, where "help" lists its commands; every other key goes to the guest'),
		'',
		'Exit status:',
		...exitStatusRows.flatMap(([status, meaning]) => row(status, meaning)),
		...row('other', 'chosen by the guest or the user: --debug-exit, exit:STATUS'),
		'',
		'Examples:',
		'  openvmm -p 4',
		'  openvmm -k vmlinuz -r initrd.img -c "quiet" -p 4 -m 2G',
		'  openvmm -k vmlinuz --com1 file=boot.log --com2 listen=/tmp/com2 --pidfile vm.pid',
		'  openvmm inspect NAME vm/vcpus/0/registers',
		'',
	].join('\n');
}

/** The text of `openvmm COMMAND --help`. */
export function commandHelpText(name: string, command: Command): string {
	const {help, flags: own, statuses = []} = command;
	const parts = commandRows().filter(
		([syntax]) => syntax.startsWith(`openvmm ${name} `) && syntax !== commandSyntax(name, command),
	);
	return [
		`openvmm ${name}: ${help}`,
		'',
		`Usage: ${commandSyntax(name, command)} [FLAGS]`,
		'',
		...(parts.length === 0 ? [] : [...parts.flatMap(([syntax, text]) => row(syntax, text)), '']),
		...own.flatMap((flag) => row(flagSyntax(flag), flag.help)),
		'',
		...(statuses.length === 0 ? [] : ['Exit status:', ...statuses.flatMap(([status, text]) => row(status, text)), '']),
	].join('\n');
}

/** Every command as a reader writes it, with what it does. */
export const commandRows = (operations = machineOperations): (readonly [string, string])[] =>
	[...commands(operations)].map(([name, command]) => [commandSyntax(name, command), command.help]);

/** A command as a reader writes it, without its flags. */
export const commandSyntax = (name: string, {words = []}: Command) => ['openvmm', name, ...words].join(' ');

/** A flag as a reader writes it: `-k, --kernel FILE`. */
export function flagSyntax({name, short, value}: CommandFlag): string {
	const names = short === undefined ? `    --${name}` : `-${short}, --${name}`;
	return value === undefined ? names : `${names} ${value}`;
}

/** Explains a flag: its choices, its default and its environment variable, in one paragraph. */
export function explanation({help, choices, default: value, env}: Flag): string {
	const notes = [
		...(choices ? [`one of ${choices.join(', ')}`] : []),
		...(value === undefined ? [] : [`default ${value}`]),
		...(env === undefined ? [] : [`or $${env}`]),
	];
	return notes.length === 0 ? help : `${help} [${notes.join('; ')}]`;
}

/** The environment variables that openvmm reads, with what each does. */
export function environmentRows(): readonly (readonly [string, string])[] {
	const ofFlags = flags.flatMap((flag: Flag) =>
		flag.env === undefined ? [] : [[flag.env, `--${flag.name}`] as const],
	);
	return [...Object.entries(environment), ...ofFlags];
}

/** A list in Markdown of what is written, and what it does. */
export const markdownList = (rows: readonly (readonly [string, string])[]): readonly string[] => [
	...rows.map(([written, does]) => `- \`${written.trim()}\`: ${plain(does)}`),
	'',
];

/** Keeps what looks like a tag or emphasis as it is. */
const plain = (text: string) => text.replace(/[<*]/g, '\\$&');

function row(left: string, text: string): string[] {
	const lines = wrap(text, width - indent);
	const head = `  ${left}`;
	const first = head.length + 2 <= indent ? [head.padEnd(indent) + (lines.shift() ?? '')] : [head];
	return [...first, ...lines.map((line) => ' '.repeat(indent) + line)];
}

function wrap(text: string, columns: number): string[] {
	const lines: string[] = [];
	let line = '';
	for (const word of text.split(' ')) {
		if (line !== '' && line.length + 1 + word.length > columns) {
			lines.push(line);
			line = '';
		}
		line = line === '' ? word : `${line} ${word}`;
	}
	return [...lines, line];
}
