import {controlError, findMachine, type ListedMachine} from '#main/control';
import {isVmmError} from '#support/errors';
import {nameMissing} from './choose-machine.ts';
import {readCommandFlags, startOptions} from './command-options.ts';
import {endingMs, untilEnded} from './end-machines.ts';
import {cliError} from './errors.ts';
import {followCommand, startFailureStatus} from './guest-command.ts';
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
		if (name === undefined) throw nameMissing(help);
		if (command.length === 0) throw cliError('CLI_ARGUMENT_MISSING', {argument: 'COMMAND', help});
		const choice = readCommandFlags(flags, env);
		const machine = await findMachine(name);
		await using agent = await connectGuest(machine);
		try {
			const started = await agent.spawn(command, startOptions(choice, machine.record.about.commands));
			return await followCommand(started, choice);
		} catch (error) {
			throw isVmmError(error, 'AGENT_CLOSED') ? await endOf(machine, error) : error;
		}
	} catch (error) {
		reportError(error);
		return startFailureStatus(error);
	}
}

/** What to say where the agent is gone: that its machine has ended, if it has. */
async function endOf(machine: ListedMachine, error: unknown): Promise<unknown> {
	if (!(await untilEnded(machine, endingMs))) return error;
	const {name} = machine;
	const {ended} = (await findMachine(name).catch(() => machine)).record;
	if (ended === undefined) return cliError('CLI_NO_AGENT', {name, why: 'the machine has ended'}, {cause: error});
	return controlError('CONTROL_MACHINE_ENDED', {name, status: ended.status}, {cause: error});
}
