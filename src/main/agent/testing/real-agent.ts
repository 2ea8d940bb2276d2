import {spawn} from 'node:child_process';
import {once} from 'node:events';
import type {Duplex} from 'node:stream';
import {fileURLToPath} from 'node:url';
import {type ConnectOptions, GuestAgent} from '../guest-agent.ts';

/** The agent's program for this host. */
export const agentProgram = fileURLToPath(
	new URL(
		`../../../../flowey/guest-agent/built/guest-agent-${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}`,
		import.meta.url,
	),
);

/** An agent that runs on this host, as a service that has one host. */
export interface RealAgent extends AsyncDisposable {
	readonly agent: GuestAgent;
	readonly stream: Duplex;
	/** How its program ended. */
	readonly ended: Promise<{code: number | null; signal: NodeJS.Signals | null}>;
}

/** Starts the program with one end of a socket. */
export function startProgram(wrapper: readonly string[] = []): Pick<RealAgent, 'stream' | 'ended'> {
	const [program = agentProgram, ...words] = [...wrapper, agentProgram, 'fd:3'];
	const child = spawn(program, words, {stdio: ['ignore', 'inherit', 'inherit', 'pipe']});
	const ended = once(child, 'exit').then(([code, signal]) => ({code, signal}) as Awaited<RealAgent['ended']>);
	return {stream: child.stdio[3] as Duplex, ended};
}

/** Starts an agent, and connects to it. Its commands end with it. */
export async function startAgent(options: ConnectOptions = {killCommands: true}): Promise<RealAgent> {
	const {stream, ended} = startProgram();
	const agent = await GuestAgent.connect(stream, options);
	return {
		agent,
		stream,
		ended,
		async [Symbol.asyncDispose]() {
			agent.close();
			await ended;
		},
	};
}
