import {once} from 'node:events';
import {createConnection, type Socket} from 'node:net';
import {agentPort, GuestAgent} from '#main/agent';
import type {ListedMachine} from '#main/control';
import {controlError, isRunning} from '#main/control';
import {cliError} from './errors.ts';

/** Longest answer of the socket device: `OK`, a number and a line feed. */
const mostAnswer = 32;

/**
 * Connects to the agent of a machine that another process runs, by the Unix socket of its virtio sockets: what goes over it costs that process
 * nothing, and who may is who may enter the machine's folder.
 * @throws VmmError CONTROL_MACHINE_ENDED, CLI_NO_AGENT, AGENT_*
 */
export async function connectGuest(machine: ListedMachine): Promise<GuestAgent> {
	const {name, record} = machine;
	if (!isRunning(machine)) throw controlError('CONTROL_MACHINE_ENDED', {name, status: record.ended?.status ?? 0});
	const path = record.about.sockets;
	if (path === undefined) throw cliError('CLI_NO_AGENT', {name, why: 'it has no virtio sockets, or is not ready yet'});
	const socket = createConnection(path);
	try {
		await once(socket, 'connect');
		socket.write(`CONNECT ${agentPort}\n`);
		await accepted(socket);
	} catch (error) {
		socket.destroy();
		const why = error instanceof Error ? error.message : String(error);
		throw cliError('CLI_NO_AGENT', {name, why}, {cause: error});
	}
	return GuestAgent.connect(socket, {killCommands: true});
}

/** Reads the answer, and nothing behind it. */
async function accepted(socket: Socket): Promise<void> {
	let answer = '';
	while (!answer.endsWith('\n')) {
		const byte: Buffer | null = socket.read(1);
		if (byte !== null) answer += byte.toString('latin1');
		else if (socket.readableEnded || socket.destroyed || answer.length > mostAnswer)
			throw new Error('nobody in the guest listens');
		else await Promise.race([once(socket, 'readable'), once(socket, 'end'), once(socket, 'close')]);
	}
	if (!answer.startsWith('OK ')) throw new Error(`it answers ${JSON.stringify(answer)}`);
}
