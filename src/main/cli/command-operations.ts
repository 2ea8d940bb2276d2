import type {TerminalSize} from '#main/agent';
import {machineOperations, type Operation} from '#main/operations';
import type {CommandChoice} from './command-options.ts';
import type {RunningCommand} from './guest-command.ts';

/**
 * What clients may ask of a machine of `openvmm run`, with the command in the place of the guest's console, and its end in that of the guest's.
 * @param stopSignal - of the image
 */
export const commandOperations = (
	command: Pick<RunningCommand, 'stdin' | 'kill' | 'resize'>,
	{tty}: Pick<CommandChoice, 'tty'>,
	stopSignal: NodeJS.Signals,
): readonly Operation[] => {
	const own: Readonly<Record<string, Operation['run']>> = {
		async 'shut-down'() {
			command.kill(stopSignal);
			return {by: 'command'};
		},
		async 'feed-console'(_vm, values) {
			// A command that does not read keeps who types, and not this process's memory.
			if (command.stdin.writableNeedDrain) return {taken: 0};
			const bytes = Buffer.from((values as unknown as {bytes: string}).bytes, 'base64');
			command.stdin.write(bytes);
			return {taken: bytes.length};
		},
		async 'resize-console'(_vm, values) {
			if (tty) command.resize(values as unknown as TerminalSize);
			return {told: tty};
		},
	};
	return machineOperations.map((each): Operation => ({...each, run: own[each.name] ?? each.run}));
};
