import type {TerminalSize} from '#main/agent';
import {machineOperations, type Operation, saveSnapshot} from '#main/operations';
import type {CommandChoice} from './command-options.ts';
import type {RunningCommand} from './guest-command.ts';

interface CommandMachine {
	/** Of the image. */
	readonly stopSignal: NodeJS.Signals;
	/** Words of a command line that has a machine go on from a snapshot in a directory. */
	readonly restored: (directory: string) => Promise<readonly string[]>;
}

/** What clients may ask of a machine of `openvmm run`, with the command in the place of the guest's console, and its end in that of the guest's. */
export const commandOperations = (
	command: Pick<RunningCommand, 'stdin' | 'kill' | 'resize'>,
	{tty}: Pick<CommandChoice, 'tty'>,
	{stopSignal, restored}: CommandMachine,
): readonly Operation[] => {
	const own: Readonly<Record<string, Operation['run']>> = {
		async 'save-snapshot'(vm, values, context) {
			const {path} = (await saveSnapshot.run(vm, values, context)) as {path: string};
			return {path, restore: await restored(path)};
		},
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
