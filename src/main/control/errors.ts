import {errorTable} from '#support/errors';

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
		remedy: '`openvmm ls` lists the running machines',
	}),
	CONTROL_NOT_OURS: (c: {path: string; found: string}) => ({
		message: `What answers at "${c.path}" is not understood: ${c.found}`,
		remedy: 'Use the openvmm that the machine was started with',
	}),
	CONTROL_CONNECTION_LOST: (c: {method: string}) => ({
		message: `The machine ended before it answered ${c.method}`,
		remedy: '`openvmm ls` lists the machines that still run; how one ended is in its own output and log',
	}),
	CONTROL_NO_MACHINE: (c: {directory: string}) => ({
		message: `No machine of yours is running: ${c.directory} has no control socket`,
		remedy: 'Start one with openvmm; one with --control-socket PATH is reached by --socket PATH',
	}),
	CONTROL_MACHINE_AMBIGUOUS: (c: {running: readonly string[]}) => ({
		message: `${c.running.length} machines are running: ${c.running.join(', ')}`,
		remedy: 'Say which one: --vm NAME or --vm PID',
	}),
	CONTROL_MACHINE_UNKNOWN: (c: {wanted: string; running: readonly string[]}) => ({
		message: `No machine "${c.wanted}" is running`,
		remedy: c.running.length === 0 ? 'None of yours is' : `There is ${c.running.join(', ')}`,
	}),
});
