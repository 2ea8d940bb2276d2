import {Socket} from 'node:net';
import {close, socketPair} from '#support/ffi';
import type {ProgramCaller, ProgramHandle, ProgramObject} from '#support/rpc';
import {patienceMs} from './policy.ts';
import type {ConnectFunction, Decide, Verdict} from './verdict.ts';

/** Answers that no connection has come for yet: one that its guest has given up is forgotten after so many others. */
const mostOffered = 1024;

/** A verdict as it crosses threads: an answer is a number, by which the guest's connection comes. */
type Crossing = Exclude<Verdict, {kind: 'answer'}> | {readonly kind: 'answer'; readonly offer: number};

/**
 * A program's function as its network asks it. A connection that it answers itself comes as a descriptor, since the kernel then holds back
 * whichever side is too fast; the network's thread makes it when the guest is there, so that none is left over.
 */
export function askedFunction(connect: ConnectFunction): ProgramObject {
	const offers = new Map<number, (stream: Socket) => void>();
	let next = 0;
	return {
		async decide(attempt: Parameters<ConnectFunction>[0], signal): Promise<unknown> {
			const verdict: unknown = await connect(attempt, signal);
			if (!isAnswer(verdict)) return verdict;
			const offer = next++;
			offers.set(offer, verdict.answer);
			const [oldest = offer] = offers.keys();
			if (offers.size > mostOffered) offers.delete(oldest);
			return {kind: 'answer', offer} satisfies Crossing;
		},
		take({offer, fd}: {offer: number; fd: number}): void {
			const stream = new Socket({fd, allowHalfOpen: true});
			// A guest that breaks it off ends no program that does not listen.
			stream.on('error', () => undefined);
			const answer = offers.get(offer);
			offers.delete(offer);
			try {
				if (answer === undefined) stream.destroy();
				else answer(stream);
			} catch {
				stream.destroy();
			}
		},
	};
}

/** Asks a program's function from the network's thread. */
export const askProgram =
	(program: ProgramCaller, connect: ProgramHandle): Decide =>
	async (attempt) => {
		const asked = await program.call(connect, 'decide', {...attempt}, {limitMs: patienceMs});
		if (asked.kind === 'failed') throw new Error(asked.message);
		if (asked.kind !== 'value') return {kind: 'refuse', reason: 'the function has not decided in time'};
		const verdict = asked.value as Crossing;
		if (verdict?.kind !== 'answer') return verdict;
		// What has no function for an answer is no answer.
		if (typeof verdict.offer !== 'number') return verdict as never;
		return {kind: 'answer', open: () => openAnswer(program, connect, verdict.offer)};
	};

/** @throws Error where the process has no descriptors left */
function openAnswer(program: ProgramCaller, connect: ProgramHandle, offer: number): Socket {
	const pair = socketPair();
	if (pair === undefined) throw new Error('there are no descriptors left');
	const [fd, theirs] = pair;
	// Whoever is there takes the descriptor: what a thread has said is heard after its end too.
	void program.call(connect, 'take', {offer, fd: theirs}).then(({kind}) => {
		// It has not been sent at all.
		if (kind === 'failed') close(theirs);
	});
	return new Socket({fd, allowHalfOpen: true});
}

const isAnswer = (value: unknown): value is {answer: (stream: Socket) => void} => {
	if (typeof value !== 'object' || value === null) return false;
	const {kind, answer} = value as {kind?: unknown; answer?: unknown};
	return kind === 'answer' && typeof answer === 'function';
};
