import {existsSync, readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

/**
 * Control sockets of the machines that a process runs, those that are there: guide/commands.md, "Names and folders".
 * @param runtime - the process's XDG_RUNTIME_DIR
 */
export function controlSockets(runtime: string, pid: number | undefined): string[] {
	const machines = join(runtime, `openvmm-${process.getuid?.()}`);
	const names = existsSync(machines) ? readdirSync(machines).filter((name) => !name.startsWith('.')) : [];
	return names
		.filter((name) => {
			const entry = join(machines, name, 'machine.json');
			return existsSync(entry) && JSON.parse(readFileSync(entry, 'utf8')).process.pid === pid;
		})
		.map((name) => join(machines, name, 'control.sock'))
		.filter((socket) => existsSync(socket));
}
