import {toJson, toText} from '#support/inspect';
import {inspectFlags} from './flags.ts';
import {inspectRequest} from './inspect-request.ts';
import type {Machine} from './machine.ts';
import {parseCommand} from './parse.ts';

/** What may stand behind `inspect`. */
export const inspectParameters = '[PATH] [-r] [-l DEPTH] [-u VALUE]';

/** The console's `inspect`: the flags of `openvmm inspect`. @throws VmmError CLI_*, INSPECT_* */
export async function inspectInConsole(
	machine: Machine,
	say: (text: string) => void,
	words: readonly string[],
): Promise<'stay'> {
	const {flags, argument} = parseCommand(words, {argument: 'PATH', flags: inspectFlags}, 'help');
	const {path, options, update, json} = inspectRequest(flags, argument);
	const result = await (update === undefined ? machine.inspect(path, options) : machine.update(path, update));
	say(json ? JSON.stringify(toJson(result), undefined, 2) : toText(result));
	return 'stay';
}
