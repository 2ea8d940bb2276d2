import {type ChildProcess, fork} from 'node:child_process';
import type {ProofPart, Share, ShareResult, Tell} from './part.ts';

/** A share for a process. */
export interface Order {
	readonly part: string;
	readonly share: Share;
}

/** Its answers: how far it is, now and then; what the share has come to, or why it failed. */
export type Answer = {readonly told: string} | {readonly result: ShareResult} | {readonly error: string};

/** How to follow a part as it runs. */
export interface PartOptions {
	readonly seed: number;
	/** Number of the first case. */
	readonly first: number;
	readonly count: number;
	/** Hears of each share that is done. */
	readonly progress: (result: ShareResult) => void;
	/** Hears how far a share is that takes long. */
	readonly tell: Tell;
}

/** Processes that run shares of parts: threads would not do, since a process has one host's processor as an oracle. */
export class PartProcesses implements Disposable {
	readonly #children: readonly ChildProcess[];

	constructor(processes: number) {
		const module = new URL('./part-process.ts', import.meta.url);
		this.#children = Array.from({length: processes}, () =>
			fork(module, {execArgv: ['--import=tsx'], stdio: 'inherit'}),
		);
	}

	/** Runs a part, and gives its results in no order. @throws Error when a share cannot be run */
	async run(
		{name, share, threads}: ProofPart,
		{seed, first, count, progress, tell}: PartOptions,
	): Promise<readonly ShareResult[]> {
		const results: ShareResult[] = [];
		let next = 0;
		const work = async (child: ChildProcess) => {
			while (next < count) {
				const done = next;
				next += share;
				const order: Order = {part: name, share: {seed, first: first + done, count: Math.min(share, count - done)}};
				const result = await answerOf(child, order, tell);
				results.push(result);
				progress(result);
			}
		};
		const together = Math.max(1, Math.floor(this.#children.length / threads));
		await Promise.all(this.#children.slice(0, together).map(work));
		return results;
	}

	[Symbol.dispose](): void {
		for (const child of this.#children) child.kill();
	}
}

function answerOf(child: ChildProcess, order: Order, tell: Tell): Promise<ShareResult> {
	const what = `share ${order.share.first} of ${order.part}`;
	return new Promise((resolve, reject) => {
		const died = (code: number | null, signal: string | null) => {
			reject(new Error(`The process of ${what} ended by ${signal ?? `status ${code}`}`));
		};
		const listen = (answer: Answer) => {
			if ('told' in answer) return tell(answer.told);
			child.off('exit', died);
			child.off('message', listen);
			if ('result' in answer) resolve(answer.result);
			else reject(new Error(`${what} failed: ${answer.error}`));
		};
		child.once('exit', died);
		child.on('message', listen);
		child.send(order);
	});
}
