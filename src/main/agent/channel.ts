import {Answer, rule} from './answer.ts';
import {agentError} from './errors.ts';
import {InputStream} from './input-stream.ts';
import {OutputStream} from './output-stream.ts';
import {flags, frames, type operations, streams} from './protocol.ts';

/** What is asked of the agent. */
export interface Request<T = void> {
	readonly operation: keyof typeof operations;
	/** As errors have it: `read`, and what: `/etc/passwd`. */
	readonly verb: string;
	readonly what: string;
	readonly operands: Buffer;
	/** Streams that it has besides its answer. */
	readonly input?: boolean;
	readonly outputs?: 0 | 1 | 2;
	/** The input's end is waited for: it has been taken when the channel is over. */
	readonly waitsForInput?: boolean;
	/** Reads the answer, all of it. */
	readonly read: (answer: Answer) => T;
}

/** For what is answered with nothing. */
export const readNothing = (): void => {};

/** How a channel sends. */
export interface ChannelSender {
	send(type: number, flag: number, payload?: Uint8Array): void;
	ready(): Promise<void>;
}

/** How a command of the guest's ended, in numbers. */
export interface ProcessEnd {
	readonly isSignal: boolean;
	readonly code: number;
}

/** One thing that was asked for, from its request to the last frame about it; each frame of the agent's is checked against what may come. */
export class Channel<T> {
	readonly input: InputStream | undefined;
	readonly outputs: readonly OutputStream[];
	/** What the agent answered first. */
	readonly reply: Promise<T>;
	/** The end of the command. */
	readonly exit: Promise<ProcessEnd>;
	/** All is over, in order. It rejects where it failed. */
	readonly over: Promise<void>;
	/** The agent has nothing more of it, or the connection has ended; it never rejects. */
	readonly gone: Promise<void>;
	readonly #request: Request<T>;
	readonly #sender: ChannelSender;
	readonly #reply = Promise.withResolvers<T>();
	readonly #exit = Promise.withResolvers<ProcessEnd>();
	readonly #over = Promise.withResolvers<void>();
	readonly #gone = Promise.withResolvers<void>();
	#isAnswered = false;
	#isExited = false;
	#isGivenUp = false;
	#isOver = false;

	constructor(request: Request<T>, sender: ChannelSender) {
		this.#request = request;
		this.#sender = sender;
		this.reply = this.#reply.promise;
		this.exit = this.#exit.promise;
		this.over = this.#over.promise;
		this.gone = this.#gone.promise;
		for (const promise of [this.reply, this.exit, this.over]) promise.catch(() => {});
		const give = (stream: number) => (bytes: number) => {
			const payload = Buffer.alloc(4);
			payload.writeUInt32LE(bytes);
			if (this.#isAnswered && !this.#isOver && !this.#isGivenUp) sender.send(frames.CREDIT, stream, payload);
		};
		this.outputs = [streams.OUTPUT, streams.ERRORS]
			.slice(0, request.outputs ?? 0)
			.map((stream) => new OutputStream(give(stream)));
		if (request.input) this.input = this.#makeInput();
	}

	#makeInput(): InputStream {
		return new InputStream({
			ready: () => this.#sender.ready(),
			data: (bytes) => {
				if (!this.#isOver && !this.#isGivenUp) this.#sender.send(frames.DATA, streams.INPUT, bytes);
			},
			end: async () => {
				if (!this.#isOver && !this.#isGivenUp) this.#sender.send(frames.END, streams.INPUT);
				if (this.#request.waitsForInput) await this.over;
			},
		});
	}

	get isOver(): boolean {
		return this.#isOver;
	}

	/** Sends a frame about it, as long as there is something to be told. */
	tell(type: number, payload: Uint8Array): void {
		if (this.#isAnswered && !this.#isOver && !this.#isExited) this.#sender.send(type, 0, payload);
	}

	/** Wants no more of it: its command is killed, and what comes yet is dropped. @param reason - for whoever waits for it */
	giveUp(reason: Error): void {
		if (this.#isOver || this.#isGivenUp) return;
		this.#isGivenUp = true;
		this.#sender.send(frames.CLOSE, 0);
		this.#fail(reason);
	}

	/** The connection has ended. */
	lose(reason: Error): void {
		this.#finish();
		this.#fail(reason);
	}

	/** @throws BrokenRule */
	receive(type: number, stream: number, payload: Buffer): void {
		const answer = new Answer(payload);
		switch (type) {
			case frames.REPLY:
				rule(!this.#isAnswered, 'a second answer');
				this.#receiveReply(answer);
				break;
			case frames.FAIL:
				this.#receiveFailure(answer);
				break;
			case frames.DATA:
				this.#output(stream).receive(payload);
				break;
			case frames.END:
				answer.end();
				if (stream === streams.INPUT) this.#receiveInputEnd();
				else this.#output(stream).receiveEnd();
				break;
			case frames.CREDIT:
				this.#receiveCredit(stream, answer);
				break;
			case frames.EXIT:
				this.#receiveExit(answer);
				break;
			case frames.CLOSED:
				answer.end();
				this.#receiveClosed();
				break;
			default:
				rule(false, `a frame of type ${type}`);
		}
	}

	#receiveReply(answer: Answer): void {
		const value = this.#request.read(answer);
		answer.end();
		this.#isAnswered = true;
		this.#reply.resolve(value);
	}

	#receiveCredit(stream: number, answer: Answer): void {
		const credit = answer.u32();
		answer.end();
		rule(stream === streams.INPUT && this.input !== undefined && this.#isAnswered, 'credit for no stream');
		this.input.receiveCredit(credit);
	}

	#output(stream: number): OutputStream {
		const output = this.outputs[stream - 1];
		rule(output !== undefined && this.#isAnswered, `data of stream ${stream}, which there is not`);
		return output;
	}

	#receiveFailure(answer: Answer): void {
		const [errno, step] = [answer.u32(), answer.u16()];
		answer.end();
		rule(errno > 0 && errno < 4096, 'an errno that there is not');
		this.#finish();
		const {verb, what} = this.#request;
		this.#fail(agentError('AGENT_FAILED', {operation: verb, what, errno, step}));
	}

	/** Nobody in the guest takes more of it. */
	#receiveInputEnd(): void {
		rule(this.input !== undefined && this.#isAnswered, 'the end of an input that there is not');
		const {verb, what} = this.#request;
		this.input.destroy(agentError('AGENT_FAILED', {operation: verb, what, errno: epipe, step: writeStep}));
	}

	#receiveExit(answer: Answer): void {
		const [how, code] = [answer.u8(), answer.u32()];
		answer.end();
		const isCommand = this.#request.operation === 'SPAWN' && this.#isAnswered;
		rule(isCommand && !this.#isExited, 'the end of no command');
		const isSignal = how === flags.EXIT_SIGNAL;
		rule(
			isSignal ? code > 0 && code <= 64 : how === flags.EXIT_STATUS && code < 256,
			'an exit status that there is not',
		);
		this.#isExited = true;
		this.#exit.resolve({isSignal, code});
		this.input?.destroy();
	}

	#receiveClosed(): void {
		rule(this.#isAnswered || this.#isGivenUp, 'an end without an answer');
		const isWhole =
			this.outputs.every(({isEnded}) => isEnded) && (this.#request.operation !== 'SPAWN' || this.#isExited);
		rule(this.#isGivenUp || isWhole, 'an end amid its streams');
		this.#finish();
		this.#over.resolve();
		if (!this.#request.waitsForInput) this.input?.destroy();
	}

	#finish(): void {
		this.#isOver = true;
		this.#gone.resolve();
	}

	#fail(reason: Error): void {
		this.#reply.reject(reason);
		this.#exit.reject(reason);
		this.#over.reject(reason);
		this.input?.destroy(reason);
		for (const output of this.outputs) if (!output.isEnded) output.destroy(reason);
	}
}

const epipe = 32;
const writeStep = 14;
