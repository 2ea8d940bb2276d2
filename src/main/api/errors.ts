import type {VmEnd} from '#main/vm';
import {errorTable} from '#support/errors';

/** Errors of machines that programs use. */
export const apiError = errorTable({
	VM_START_TIMEOUT: (c: {name: string; seconds: number; waitedFor: string; console: string}) => ({
		message: `The machine ${c.name} was not ready within ${c.seconds} seconds: it waited for ${c.waitedFor}. ${saidAtLast(c.console)}`,
		remedy:
			"Look at what it has said. A kernel without virtio sockets (its module vmw_vsock_virtio_transport), or a guest in which the agent does not run, never answers: name modules that belong to the kernel (kernel: {kernel, modules}), reach the agent by a console (agent: 'console'), or do without (agent: false). A host that is slow or busy needs a longer startTimeout",
	}),
	VM_START_ENDED: (c: {name: string; end: VmEnd; console: string}) => ({
		message: `The guest of ${c.name} ended before it was ready (${endText(c.end)}). ${saidAtLast(c.console)}`,
		remedy: 'Look at what it has said: a kernel that finds no root, or a root that is no Linux, ends like this',
	}),
	VM_EXEC_FAILED: (c: {
		name: string;
		command: readonly string[];
		exitCode: number | undefined;
		signal: string | undefined;
		stderr: string;
	}) => ({
		message: `${c.command.join(' ').slice(0, 200)} ended with ${c.signal ?? `status ${c.exitCode}`} in ${c.name}${c.stderr === '' ? '' : `: ${lastOf(c.stderr)}`}`,
		remedy: 'Look at its output, which the error has as context; without `check` a status is no error',
	}),
	VM_AGENT_MISSING: (c: {name: string; wanted: string}) => ({
		message: `${c.name} was made without the guest agent, and ${c.wanted} needs it`,
		remedy:
			"Leave out `agent: false`, or say with `boot` how the agent is reached that its init starts: `agent: 'vsock'`",
	}),
	VM_STOPPED_AGENT: (c: {name: string; end: VmEnd | undefined; console: string}) => ({
		message: `${c.name} is over${c.end === undefined ? '' : ` (${endText(c.end)})`}, and there is no agent in its guest any more${c.end !== undefined && isBroken(c.end) ? `. ${saidAtLast(c.console)}` : ''}`,
	}),
	VM_FORWARD_FAILED: (c: {name: string; address: string; errno: string}) => ({
		message: `Connections to ${c.address} cannot be taken for ${c.name}: ${c.errno}`,
		remedy: 'Use port 0 for any that is free, or end whoever has this one',
	}),
	VM_CONSOLE_FAILED: (c: {name: string; errno: string}) => ({
		message: `The console of ${c.name} cannot be had: ${c.errno}`,
		remedy: 'Let this process have more descriptors (ulimit -n)',
	}),
	VM_CONSOLE_TIMEOUT: (c: {name: string; pattern: string; ms: number; console: string}) => ({
		message: `The console of ${c.name} did not show ${c.pattern} within ${c.ms} ms. ${saidAtLast(c.console)}`,
		remedy: 'Look at what it has said instead, or wait for longer',
	}),
	VM_CONSOLE_ENDED: (c: {name: string; pattern: string; console: string}) => ({
		message: `${c.name} ended before its console showed ${c.pattern}. ${saidAtLast(c.console)}`,
		remedy: 'Look at what it has said instead',
	}),
	VM_OPTION_INVALID: (c: {option: string; value: string; expected: string}) => ({
		message: `The option ${c.option} is ${c.value}`,
		remedy: `Use ${c.expected}`,
	}),
});

const mostShown = 2000;

/** The end of a text, without characters that have a terminal do something: a guest wrote it. */
export const lastOf = (text: string): string =>
	[...text.trimEnd().slice(-mostShown)].map((letter) => (isShown(letter) ? letter : '?')).join('');

function isShown(letter: string): boolean {
	const code = letter.codePointAt(0) as number;
	return letter === '\n' || letter === '\t' || (code >= 0x20 && code < 0x7f) || code >= 0xa0;
}

function saidAtLast(said: string): string {
	const text = said.replaceAll('\r', '').trimEnd();
	if (text === '') return 'Its console has shown nothing';
	// What follows a panic's reason may be longer than what is shown.
	const before = text.slice(0, -mostShown);
	const at = before.lastIndexOf('Kernel panic - ');
	const [line] = at === -1 ? [] : before.slice(before.lastIndexOf('\n', at) + 1).split('\n', 1);
	return `Its console at last:\n${line === undefined ? '' : `${lastOf(line)}\n…\n`}${lastOf(text)}`;
}

const endText = (end: VmEnd): string =>
	end.kind === 'error' ? end.error.message : end.kind === 'crash' ? `crash: ${end.reason}` : end.kind;

/** Its console says more of an end that nobody asked for. */
const isBroken = ({kind}: VmEnd): boolean =>
	kind === 'crash' || kind === 'reset-loop' || kind === 'watchdog' || kind === 'halt';
