import {once} from 'node:events';
import {createConnection} from 'node:net';
import {type AgentTransport, agentPort} from '#main/agent';
import type {Vm} from '#main/vm';
import type {MachineFolder} from './machine-folder.ts';
import type {CreateVmOptions} from './options.ts';

/** What carries the bytes between a program and the agent in its guest. */
export type AgentWay = 'vsock' | 'console';

/** Begins a connection to the agent, whether it is there to answer or not. */
export type ReachAgent = (machine: Vm, signal: AbortSignal) => Promise<AgentTransport>;

/** The way to the agent that is asked for; undefined for a guest without one. */
export function agentWay({agent, boot}: Pick<CreateVmOptions, 'agent' | 'boot'>): AgentWay | undefined {
	if (agent === 'console') return agent;
	const isThere = agent ?? boot === undefined;
	return isThere === false ? undefined : 'vsock';
}

/** Reaches the agent by the way that its machine has. */
export function reachAgent(way: AgentWay, {agentPort: path}: MachineFolder): ReachAgent {
	if (way === 'vsock') return (machine, signal) => machine.vsock.connect(agentPort, {signal});
	return async (_machine, signal) => {
		const socket = createConnection(path);
		try {
			await once(socket, 'connect', {signal});
			return socket;
		} catch (error) {
			socket.destroy();
			throw error;
		}
	};
}
