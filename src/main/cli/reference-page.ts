import {machineOperations} from '#main/operations';
import {commands} from './commands.ts';
import {exitStatusRows} from './exit-status.ts';
import {flagGroups, flags} from './flags.ts';
import {commandRows, environmentRows, explanation, flagSyntax, markdownList} from './help.ts';
import {endingSignals, forcingSignals, machineSignals} from './signals.ts';

/** The guide's page on the command line, in Markdown: what `openvmm help --markdown` prints. */
export function referencePage(operations = machineOperations, known = flags): string {
	return [
		'# Command line',
		'',
		'<!-- Made by `npx openvmm help --markdown > guide/reference/cli.md` from the tables in src/main/cli. -->',
		'',
		'```text',
		'openvmm [FLAGS]            boot a machine',
		'openvmm COMMAND [FLAGS]    see or change a running one',
		'```',
		'',
		'Flags have the names that OpenVMM gives them. A flag that is given twice counts once, with its last',
		'value, except where the text says that it may be repeated.',
		'',
		...Object.entries(flagGroups).flatMap(([group, title]) => [
			`## ${title}`,
			'',
			...markdownList(
				known.filter((flag) => flag.group === group).map((flag) => [flagSyntax(flag), explanation(flag)]),
			),
		]),
		'## Commands',
		'',
		...markdownList(commandRows(operations)),
		'NAME is that of a machine, or the id of its process; `openvmm ps` lists them. What',
		'`inspect` shows is described in [Inspect](../inspect.md); the same by the console and by a program: [Operations](operations.md).',
		'',
		...[...commands(operations)]
			.filter(([, {flags: own}]) => own.length > 0)
			.flatMap(([name, {flags: own, statuses = []}]) => [
				`### \`openvmm ${name}\``,
				'',
				...markdownList([
					...own.map((flag) => [flagSyntax(flag), flag.help] as const),
					...statuses.map(([s, text]) => [`status ${s}`, text] as const),
				]),
			]),
		'## Environment',
		'',
		...markdownList(environmentRows()),
		'The kernel and initrd variables are also read with the prefix `X86_64_`.',
		'',
		'## Exit status',
		'',
		...markdownList(exitStatusRows),
		'Other statuses are chosen by the guest or the user, through `--debug-exit` and `exit:STATUS`. Every end',
		'other than a clean one prints one line to standard error that names the cause and what to do.',
		'',
		'## Console',
		'',
		'While a serial port is bound to the console and standard input is a terminal, every key goes to the',
		'guest, Ctrl-C included. Ctrl-Q opens the `openvmm>` console; `help` there lists its commands, `input`',
		'goes back to the guest. When standard input is not a terminal its bytes go to the guest until they end,',
		'and the machine runs on.',
		'',
		'When openvmm is started in the background of a shell, or sent there, the machine runs on and leaves the',
		'keyboard alone; `fg` gives it the keyboard. Ctrl-Z in the console pauses the machine and goes back to the shell:',
		'`fg` or `bg` resumes it.',
		'',
		'## Signals',
		'',
		`${joined(endingSignals)}`,
		'stop the machine in whatever state it is, restore the terminal, remove the pid file and sockets and end with',
		`128 plus the number of the signal. When ${joined(forcingSignals, 'or')} comes as the second, openvmm does not wait`,
		'for the machine.',
		'',
		`${joined(Object.entries(machineSignals).map(([signal, change]) => `${signal} (${change})`))} change what the machine`,
		'does: `kill -TSTP`, `kill -CONT`, `kill -USR2`. With `--clones` they change all clones.',
		'',
		'SIGUSR1 and real-time signals do nothing, nor do SIGPIPE and SIGXFSZ, whose cause is an error of the write. SIGKILL,',
		'and what a crash of openvmm itself raises (SIGSEGV, SIGABRT and their like), end it at once and can undo',
		'nothing: a pid file that is left behind has no lock, a socket no listener, and the next openvmm takes both over;',
		'a terminal in raw mode is put right by most shells, else by `stty sane`.',
		'',
		'`nohup` has no effect, since Node.js undoes it: `setsid openvmm …` outlives its terminal.',
		'',
	].join('\n');
}

const joined = (words: readonly string[], last = 'and'): string =>
	`${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
