import {readFileSync} from 'node:fs';
import {configError} from '#main/config';
import type {CommandDefaults} from '#main/control';
import {terminalSize} from './guest-command.ts';
import type {FlagValues} from './parse.ts';

/** How a command is started, as the flags of `run` and `exec` say. */
export interface CommandChoice {
	readonly interactive: boolean;
	readonly tty: boolean;
	readonly cwd?: string;
	readonly user?: string;
	readonly env: Readonly<Record<string, string>>;
}

/** Reads `-i`, `-t`, `-e`, `--env-file`, `-w` and `-u`. @throws CONFIG_VALUE_INVALID, CONFIG_PATH_UNUSABLE */
export function readCommandFlags(
	flags: FlagValues<string>,
	env: Readonly<Record<string, string | undefined>>,
): CommandChoice {
	const [cwd, user] = [flags.last('workdir'), flags.last('user')];
	if (cwd !== undefined && !cwd.startsWith('/')) throw wrong('--workdir', cwd, 'an absolute path of the guest');
	const lines = [...flags.all('env-file').flatMap(linesOf), ...flags.all('env')];
	return {
		interactive: flags.has('interactive'),
		tty: flags.has('tty'),
		...(cwd !== undefined && {cwd}),
		...(user !== undefined && {user}),
		env: Object.fromEntries(lines.flatMap((line) => variable(line, env))),
	};
}

/** Options for the agent. @param defaults - what the image says */
export const startOptions = ({interactive, tty, cwd, user, env}: CommandChoice, defaults?: CommandDefaults) => ({
	...(defaults?.cwd !== undefined && {cwd: defaults.cwd}),
	...(defaults?.user !== undefined && {user: defaults.user}),
	...(cwd !== undefined && {cwd}),
	...(user !== undefined && {user}),
	env: {...defaults?.env, ...env},
	stdin: interactive,
	...(tty && {tty: terminalSize()}),
});

/** A variable; one without a value has that of this process, if any. */
function variable(line: string, env: Readonly<Record<string, string | undefined>>): [string, string][] {
	const at = line.indexOf('=');
	const name = at < 0 ? line : line.slice(0, at);
	if (name === '' || name.includes('\0')) throw wrong('--env', line, 'NAME=VALUE, or NAME alone for its value here');
	const value = at < 0 ? env[name] : line.slice(at + 1);
	return value === undefined ? [] : [[name, value]];
}

function linesOf(path: string): string[] {
	try {
		const lines = readFileSync(path, 'utf8').split(/\r?\n/);
		return lines.map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#'));
	} catch {
		throw wrong('--env-file', path, 'a file that can be read, with a line NAME=VALUE for each variable');
	}
}

const wrong = (option: string, value: string, expected: string) =>
	configError('CONFIG_VALUE_INVALID', {option, value, expected});
