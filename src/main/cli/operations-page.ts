import {machineOperations, type Operation, type Param} from '#main/operations';
import {commands} from './commands.ts';
import {consoleCommands} from './console-line.ts';
import {commandSyntax, markdownList} from './help.ts';

/** The guide's page on the operations of a running machine, in Markdown: what `openvmm help --operations` prints. */
export function operationsPage(operations = machineOperations): string {
	const onCommandLine = commands(operations);
	const inConsole = new Map(consoleCommands(operations).map((command) => [command.operation, command]));
	return [
		'# Operations',
		'',
		'<!-- Made by `npx openvmm help --operations > guide/reference/operations.md` from the table in src/main/operations. -->',
		'',
		'What may be asked of a running machine: in the console (Ctrl-Q), by a command from another shell (which names',
		'it, see [Machines by name](../commands.md)), and by a program over the',
		'[control socket](../inspect.md#the-control-socket). In a program that runs the machine itself they are methods of `Vm`.',
		'',
		...operations.flatMap((operation) => {
			const {name, help, params, result} = operation;
			const [command, typed] = [onCommandLine.get(name), inConsole.get(operation)];
			return [
				`## ${name}`,
				'',
				`${help.charAt(0).toUpperCase()}${help.slice(1)}.`,
				'',
				...markdownList([
					...(typed === undefined ? [] : [[`${typed.names.join(', ')} ${typed.syntax}`, 'in the console'] as const]),
					...(command === undefined ? [] : [[commandSyntax(name, command), 'from another shell'] as const]),
					[request(operation), 'over the socket'],
				]),
				...(Object.keys(params).length === 0 ? [] : ['Parameters:', '']),
				...(Object.keys(params).length === 0 ? [] : markdownList(Object.entries(params).map(parameterRow))),
				`Answer: ${result}.`,
				'',
			];
		}),
	].join('\n');
}

/** The request without what may be left out. */
function request({name: method, params}: Operation): string {
	const needed = Object.entries(params).filter(([, {optional}]) => !optional);
	const values = needed.map(([name]) => `"${name}": …`).join(', ');
	return `{"id": 1, "method": "${method}"${values === '' ? '' : `, "params": {${values}}`}}`;
}

function parameterRow([name, {kind, help, flag, optional}]: [string, Param]): readonly [string, string] {
	const written = flag === undefined ? '' : `; on a line \`--${flag}\``;
	return [name, `${help}${written}; ${kind.expected}${optional ? ', or absent' : ''}`];
}
