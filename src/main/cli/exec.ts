import {findMachine} from '#main/control';
import {readCommandFlags, startOptions} from './command-options.ts';
import {cliError} from './errors.ts';
import {commandStatuses, followCommand, startFailureStatus} from './guest-command.ts';
import {connectGuest} from './guest-connection.ts';
import type {FlagValues} from './parse.ts';
import {reportError} from './report.ts';
import type {Environment} from './to-config.ts';

/** `openvmm exec NAME COMMAND…`. @returns the command's status, or 125 to 127 where it could not be run */
export async function execInMachine(
	[name, ...command]: readonly string[],
	flags: FlagValues<string>,
	env: Environment,
): Promise<number> {
	try {
		const help = 'openvmm exec --help';
		if (name === undefined) throw cliError('CLI_ARGUMENT_MISSING', {argument: 'NAME', help});
		if (command.length === 0) throw cliError('CLI_ARGUMENT_MISSING', {argument: 'COMMAND', help});
		const choice = readCommandFlags(flags, env);
		const machine = await findMachine(name);
		await using agent = await connectGuest(machine);
		const started = await agent.spawn(command, startOptions(choice, machine.record.about.commands)).catch((error) => {
			reportError(error);
			return startFailureStatus(error);
		});
		return typeof started === 'number' ? started : await followCommand(started, choice);
	} catch (error) {
		reportError(error);
		return commandStatuses.failed;
	}
}
