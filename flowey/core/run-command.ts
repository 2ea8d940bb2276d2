import type {Command} from './command.ts';
import {FloweyError, WordsError} from './errors.ts';

/**
 * Runs a command with the words behind its name. A failure that its user can act on is told in two lines, without a stack.
 * @returns the exit status: 2 for wrong words, as `openvmm` has it
 */
export async function runCommand(
	command: Command,
	words: readonly string[],
	tell: (text: string) => void,
): Promise<number> {
	const usage = `It is: flowey ${command.name} ${command.usage}`.trim();
	try {
		if (command.usage === '' && words[0] !== undefined)
			throw new WordsError(`Unexpected argument '${words[0]}'`, usage);
		return await command.run(words);
	} catch (error) {
		// The rest that Node adds to the first sentence is for programs that take any words.
		const told = isOfParseArgs(error) ? new WordsError(error.message.split('. ')[0] ?? '', usage) : error;
		if (!(told instanceof Error && 'remedy' in told)) throw error;
		tell(`flowey: ${told.message}\n  remedy: ${String(told.remedy)}\n`);
		return told instanceof FloweyError && !(told instanceof WordsError) ? 1 : 2;
	}
}

/** Errors of `parseArgs` of `node:util`. */
const isOfParseArgs = (error: unknown): error is Error =>
	error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS_');
