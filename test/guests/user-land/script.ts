import type {ExecutionContext} from 'ava';
import {numbers, type Part} from './part.ts';

/** A disk with the script of a guest's shell: nothing but text, whose end is filled with empty lines. */
export function scriptDisk(parts: readonly Part[]): string {
	const file = (name: string, content: string | Uint8Array) =>
		`base64 -d >${name} <<'END'\n${Buffer.from(content).toString('base64').replaceAll(/.{76}/g, '$&\n')}\nEND\n`;
	const run = (name: string, lines: readonly string[]) =>
		`echo '--- ${name}'\n(\nset -e\n${lines.join('\n')}\n) 2>&1\necho "--- ends $?"\n`;
	const text = [
		'mkdir work && cd work || exit\n',
		file('data', numbers),
		// All that is to be started is up by then, and nothing else is written to the console.
		'echo "state=$(systemctl is-system-running --wait)"\n',
		run('failed units', ['systemctl --failed --plain --no-legend']),
		...parts.map(({name, files = {}, lines}) =>
			[...Object.entries(files).map(([path, content]) => file(path, content)), run(name, lines)].join(''),
		),
		run('kernel', [
			'dmesg >/run/kernel.log || echo no log',
			"grep -E 'BUG|WARNING|Call Trace|segfault|traps:|Oops|I/O error' /run/kernel.log || true",
		]),
	].join('');
	return text.padEnd(Math.ceil(text.length / 4096) * 4096, '\n');
}

/** What the script's part of this name has written. It ended well. */
export function section(t: ExecutionContext, output: string, name: string): string {
	const [, text = '', status] = new RegExp(`^--- ${name}\\n(.*?)^--- ends (\\d+)$`, 'ms').exec(output) ?? [];
	t.is(status, '0', status === undefined ? output : `${name}:\n${text}`);
	return text;
}
