import {readdirSync, readFileSync} from 'node:fs';
import {type Children, duration} from '#support/inspect';

/** The ids of this process's threads. */
export const threadIds = (): number[] => readdirSync('/proc/self/task').map(Number);

/** Shows what the kernel knows of a thread (proc_pid_stat(5), proc_pid_schedstat); a thread that has ended has nothing. */
export function threadNodes(tid: number): Children {
	try {
		const folder = `/proc/self/task/${tid}`;
		const [cpuNs = 0, waitedNs = 0] = readFileSync(`${folder}/schedstat`, 'latin1').split(' ').map(Number);
		// The name stands in parentheses and may hold anything.
		const stat = readFileSync(`${folder}/stat`, 'latin1');
		const [state = '?'] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return {
			thread: tid,
			name: readFileSync(`${folder}/comm`, 'utf8').trim(),
			state: states[state] ?? state,
			cpu: duration(cpuNs),
			waitedForCpu: duration(waitedNs),
		};
	} catch {
		return {thread: tid, state: 'ended'};
	}
}

const states: Readonly<Record<string, string>> = {
	R: 'running',
	S: 'sleeping',
	D: 'waiting for a disk',
	T: 'stopped',
	t: 'traced',
	Z: 'ended',
};
