import {isVmmError} from '#support/errors';
import {integer} from './kinds.ts';
import {operation} from './operation.ts';

/** Longer than anybody waits. */
const mostMs = 86_400_000;

export const shutDown = operation({
	name: 'shut-down',
	help: 'have the agent in the guest shut it down',
	params: {
		withinMs: {
			kind: integer(1, mostMs),
			placeholder: 'MS',
			help: 'milliseconds that the agent has to answer: one that is there does so at once, on a host that is not busy',
		},
	},
	result:
		'`by`: `agent`, or `nobody` where none answers; `command` of a machine of `openvmm run`, whose command gets its signal',
	socketOnly: true,
	async run(vm, {withinMs}, {signal: given}) {
		const {agentPort, GuestAgent} = await import('#main/agent');
		const late = AbortSignal.timeout(withinMs);
		const signal = given === undefined ? late : AbortSignal.any([given, late]);
		try {
			const agent = await GuestAgent.connect(await vm.vsock.connect(agentPort, {signal}), {signal});
			try {
				await agent.shutdown('poweroff', {signal});
			} catch (error) {
				// A guest that goes at once takes the answer with it.
				if (!isVmmError(error, 'AGENT_CLOSED')) throw error;
			} finally {
				agent.close();
			}
			return {by: 'agent'};
		} catch {
			// It has no sockets, no agent, or one that does not do as it is told.
			return {by: 'nobody'};
		}
	},
});
