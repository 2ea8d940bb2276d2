import {readFileSync} from 'node:fs';

/** One process, told from a later one that has the same id. */
export interface ProcessIdentity {
	readonly pid: number;
	/** The host's boot, and when in it the process began, in clock ticks. */
	readonly started: string;
}

/** This process. */
export const ownIdentity = (): ProcessIdentity => ({pid: process.pid, started: startOf(process.pid) ?? ''});

/** True while that process runs. Its id means nothing in another PID namespace, where this is false. */
export const isAlive = ({pid, started}: ProcessIdentity): boolean => startOf(pid) === started;

/** The start of the process that has this id now (proc(5): field 22 of stat); undefined where none has, or what has it is a zombie. */
function startOf(pid: number): string | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
		// The name, in parentheses, may hold anything.
		const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		if (state === 'Z' || state === 'X') return undefined;
		return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${fields[18]}`;
	} catch {
		return undefined;
	}
}
