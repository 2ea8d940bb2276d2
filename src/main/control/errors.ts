import {errorTable} from '#support/errors';
import {isMachineName} from './machine-name.ts';

/** Errors between a control client and a machine. */
export const controlError = errorTable({
	CONTROL_REQUEST_MALFORMED: (c: {reason: string}) => ({
		message: `The request is not understood: ${c.reason}`,
		remedy: 'Send one JSON object per line: {"id": 1, "method": "inspect", "params": {"path": "vm"}}',
	}),
	CONTROL_REQUEST_TOO_LARGE: (c: {limitBytes: number}) => ({
		message: `The request has more than ${c.limitBytes} bytes`,
		remedy: 'Send a shorter one; the connection is closed',
	}),
	CONTROL_METHOD_UNKNOWN: (c: {method: string; suggestion: string | undefined}) => ({
		message: `There is no method "${c.method}"`,
		remedy: c.suggestion === undefined ? 'The hello lists the methods' : `Did you mean ${c.suggestion}?`,
	}),
	CONTROL_TOO_MANY_CLIENTS: (c: {limit: number}) => ({
		message: `There are ${c.limit} control clients already`,
		remedy: 'Close one of them',
	}),
	CONTROL_FAILED: (c: {method: string; cause: string}) => ({
		message: `${c.method} failed: ${c.cause}`,
		remedy: 'This is a bug in openvmm: please report it',
	}),
	CONTROL_SOCKET_FAILED: (c: {path: string; errno: string}) => ({
		message: `The control socket "${c.path}" cannot be made: ${c.errno}`,
		remedy: 'Name another path (--control-socket PATH), or none',
	}),
	CONTROL_SOCKET_TAKEN: (c: {path: string}) => ({
		message: `The control socket "${c.path}" belongs to a running program`,
		remedy: 'Name another path (--control-socket PATH)',
	}),
	CONTROL_DIRECTORY_UNSAFE: (c: {path: string; found: string}) => ({
		message: `"${c.path}" is ${c.found}, so that others could pose as a machine of yours`,
		remedy: 'Remove it, or set XDG_RUNTIME_DIR to a directory of your own',
	}),
	CONTROL_UNREACHABLE: (c: {path: string; errno: string}) => ({
		message: `No machine answers at "${c.path}": ${c.errno}`,
		remedy: '`openvmm ps` lists the running machines',
	}),
	CONTROL_NOT_OURS: (c: {path: string; found: string}) => ({
		message: `What answers at "${c.path}" is not understood: ${c.found}`,
		remedy: 'Use the openvmm that the machine was started with',
	}),
	CONTROL_CONNECTION_LOST: (c: {method: string}) => ({
		message: `The machine ended before it answered ${c.method}`,
		remedy: '`openvmm ps` lists the machines that still run; how one ended is in its own output and log',
	}),
	CONTROL_MACHINE_AMBIGUOUS: (c: {running: readonly string[]}) => ({
		message: `The process has ${c.running.length} machines: ${c.running.join(', ')}`,
		remedy: 'Say which one, by its name',
	}),
	CONTROL_NAME_INVALID: (c: {name: string; expected: string}) => ({
		message: `"${c.name}" is no name for a machine`,
		remedy: `Give it ${c.expected}`,
	}),
	CONTROL_NAME_TAKEN: (c: {name: string; isRunning: boolean}) => ({
		message: `There is a machine "${c.name}" already, which ${c.isRunning ? 'is running' : 'has ended'}`,
		remedy: `Give another name, or remove that one: openvmm rm ${c.isRunning ? '-f ' : ''}${c.name}`,
	}),
	CONTROL_MACHINE_ENDED: (c: {name: string; status: number}) => ({
		message: `The machine "${c.name}" has ended with status ${c.status}`,
		remedy: `openvmm logs ${c.name} shows what it said, openvmm rm ${c.name} removes it`,
	}),
	CONTROL_MACHINE_RUNNING: (c: {name: string}) => ({
		message: `The machine "${c.name}" is running`,
		remedy: `Stop it first: openvmm stop ${c.name}; or openvmm rm -f ${c.name}`,
	}),
	CONTROL_MACHINE_FORCED: (c: {name: string; seconds: number}) => ({
		message: `The machine "${c.name}" did not shut down in ${c.seconds} s, and was ended`,
		remedy: 'Give its guest longer by --time SECONDS, or look why it takes so long: openvmm logs',
	}),
	CONTROL_MACHINE_STAYS: (c: {name: string; pid: number}) => ({
		message: `The machine "${c.name}" (process ${c.pid}) has not ended, although it was killed`,
		remedy: 'Its process waits for the host, for example for a disk: it ends when the host answers',
	}),
	CONTROL_MACHINE_UNKNOWN: (c: {wanted: string; running: readonly string[]}) => ({
		message: `No machine "${c.wanted}" is running`,
		remedy: `${isMachineName(c.wanted) ? '' : 'A name comes before all else. '}${
			c.running.length === 0
				? 'None of yours is; one with --control-socket PATH is reached by --socket PATH'
				: `There is ${c.running.join(', ')}`
		}`,
	}),
});
