import {getSystemErrorName} from 'node:util';
import {errorTable} from '#support/errors';
import {steps} from './protocol.ts';

/** What went wrong between a program and the agent of its guest. */
export const agentError = errorTable({
	AGENT_PROTOCOL_BROKEN: ({rule}: {rule: string}) => ({
		message: `The guest's agent breaks the protocol: ${rule}. Its connection has ended`,
		remedy: 'Look whether what answers in the guest is the agent of this version, and whether others write to its port',
	}),
	AGENT_PROTOCOL_VERSION: (c: {lowest: number; highest: number; ours: string}) => ({
		message: `The guest's agent speaks versions ${c.lowest} to ${c.highest} of the protocol, and this program ${c.ours}`,
		remedy: 'Use the agent of this package in the guest',
	}),
	AGENT_CLOSED: ({cause}: {cause: string}) => ({
		message: `The connection to the guest's agent has ended: ${cause}`,
		remedy: 'Connect again; after a restored snapshot, that is always so',
	}),
	AGENT_FAILED: (c: {operation: string; what: string; errno: number; step: number}) => ({
		message: `The guest cannot ${c.operation} ${c.what}: ${errnoName(c.errno)} (${stepName(c.step)})`,
		remedy: 'Look in the guest at what is named',
	}),
	AGENT_OUTPUT_TOO_LONG: (c: {what: string; most: number}) => ({
		message: `${c.what} has more than ${c.most} bytes, which is the limit`,
		remedy: 'Read it as a stream, or give a higher limit',
	}),
	AGENT_TIMEOUT: (c: {command: string; ms: number; isBegun: boolean}) => ({
		message: c.isBegun
			? `The command ${c.command} did not end within ${c.ms} ms and was killed`
			: `The command ${c.command} did not begin within ${c.ms} ms: the guest's agent was not there to be asked`,
		remedy: 'Give it more time',
	}),
	AGENT_BUSY: ({most}: {most: number}) => ({
		message: `The agent does ${most} things for this connection already`,
		remedy: 'Wait until some have ended, or make another connection',
	}),
	AGENT_REQUEST_INVALID: (c: {what: string; found: string}) => ({
		message: `${c.what} cannot be asked of the agent: ${c.found}`,
		remedy: 'Correct the call',
	}),
});

/** `ENOENT`, or the number where it has no name here. */
function errnoName(errno: number): string {
	const name = getSystemErrorName(-errno);
	return /^E[A-Z0-9]+$/.test(name) ? name : `errno ${errno}`;
}

const stepName = (step: number): string => steps[step] ?? `step ${step}`;
