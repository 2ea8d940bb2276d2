import type {ExecutionContext} from 'ava';
import {complaints} from '#test/petri';
import {nameTried} from './attachments.ts';
import {numbers, type Part} from './part.ts';

const file = (name: string, content: string | Uint8Array) =>
	`base64 -d >${name} <<'END'\n${Buffer.from(content).toString('base64').replaceAll(/.{76}/g, '$&\n')}\nEND\n`;
const run = (name: string, lines: readonly string[]) =>
	`echo '--- ${name}'\n(\nset -e\n${lines.join('\n')}\n) 2>&1\necho "--- ends $?"\n`;
const runPart = ({name, files = {}, lines}: Pick<Part, 'name' | 'files' | 'lines'>) =>
	Object.entries(files)
		.map(([path, content]) => file(path, content))
		.join('') + run(name, lines);
// systemd writes there too, of every condition that is not so. To a terminal they would have colours.
const kernel = run('kernel', ['dmesg --kernel --raw | cat']);

/** A script as a disk has it: nothing but text, whose end is filled with empty lines. */
const filled = (text: string) => text.padEnd(Math.ceil(text.length / 4096) * 4096, '\n');

/** A disk with the script of a guest's shell. */
export const scriptDisk = (parts: readonly Part[]): string =>
	filled(
		[
			'mkdir work && cd work || exit\n',
			file('data', numbers),
			// All that is to be started is up by then, and nothing else is written to the console.
			'echo "state=$(systemctl is-system-running --wait)"\n',
			nameTried,
			run('failed units', ['systemctl --failed --plain --no-legend']),
			...parts.map(runPart),
			kernel,
		].join(''),
	);

/** The same for a guest that runs nothing else, and powers off by itself. */
export const soleScript = (...parts: readonly Pick<Part, 'name' | 'files' | 'lines'>[]): string =>
	filled(
		[
			'export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n',
			'mount -t tmpfs run /run\ncd /run || exit\n',
			nameTried,
			...parts.map(runPart),
			kernel,
			'sync\necho o >/proc/sysrq-trigger\nsleep 1000\n',
		].join(''),
	);

/** What the script's part of this name has written. It ended well. */
export function section(t: ExecutionContext, output: string, name: string): string {
	const [, text = '', status] = new RegExp(`^--- ${name}\\n(.*?)^--- ends (\\d+)$`, 'ms').exec(output) ?? [];
	t.is(status, '0', status === undefined ? output : `${name}:\n${text}`);
	return text;
}

/** What the kernel complains of, as the script has shown it. */
export const kernelComplaints = (t: ExecutionContext, output: string): readonly string[] => {
	const log = section(t, output, 'kernel');
	t.regex(log, /^<5>\[ *0\.000000\] Linux version/m, 'the log is whole');
	return complaints(log);
};
