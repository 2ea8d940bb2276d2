import {MessageChannel, MessagePort, parentPort, SHARE_ENV, Worker} from 'node:worker_threads';
import {expose, type Remote, transfer, transferHandlers, wrap} from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import {throwHandler} from './error-transfer.ts';

transferHandlers.set('throw', throwHandler);

/** A worker thread and the calls it answers. */
export interface SpawnedWorker<T extends Leaving> {
	readonly api: Remote<T>;
	/** Rejects when the thread fails, or ends without being told to; never resolves. */
	readonly failed: Promise<never>;
	/**
	 * Resolves when the thread has ended, which it does by itself ({@link leaveOwner}). A thread is never terminated from
	 * outside: inside a foreign function that would end the process.
	 */
	readonly exited: Promise<void>;
	/** The part of its time, 0–1, that the thread's event loop was not idle. */
	eventLoopUse(): number;
	/** Has the process go on for as long as the thread does, as when it was started, or end without waiting for it. */
	keepProcess(isKept: boolean): void;
	/** Told of a channel that the thread has opened: see {@link connectOwner}. */
	connected: (port: MessagePort) => void;
	/** Calls `dispose`, which is not answered, and resolves when the thread has ended. */
	leave(): Promise<void>;
}

/** Call that every thread answers: it releases what it has and calls {@link leaveOwner}. */
export interface Leaving {
	dispose(): void | Promise<void>;
}

/**
 * What is new in a thread's heap, in MiB, of which V8 would let 48 gather before it looks for what is left of it. Little is: a thread of a
 * processor is as fast with less, which stays in its caches.
 */
export const threadLimits = {maxYoungGenerationSizeMb: 6} as const;

/** Starts a thread whose entry calls {@link serveOwner} with a `T`. */
export function spawnWorker<T extends Leaving>(url: URL, name: string): SpawnedWorker<T> {
	// A copied environment would cost every thread its own.
	// Descriptors come from C as well as from Node and go to other threads: Node would warn of them, and close its own at the end.
	return adoptWorker(new Worker(url, {name, env: SHARE_ENV, trackUnmanagedFds: false, resourceLimits: threadLimits}));
}

/** The same for a thread that was started by other means. */
export function adoptWorker<T extends Leaving>(worker: Worker): SpawnedWorker<T> {
	let isLeaving = false;
	const failed = new Promise<never>((_, reject) => {
		worker.once('error', reject);
		worker.once(
			'exit',
			(status) => isLeaving || reject(new Error(`the thread has ended by itself (status ${status})`)),
		);
	});
	// Whoever waits for the thread handles this; nobody may be waiting yet.
	failed.catch(() => {});
	const api = wrap<T>(nodeEndpoint(worker));
	const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
	const leave = () => {
		isLeaving = true;
		// The thread ends all the same.
		Promise.resolve((api as unknown as Leaving).dispose()).catch(() => {});
		return exited;
	};
	const eventLoopUse = () => worker.performance.eventLoopUtilization().utilization;
	const keepProcess = (isKept: boolean) => (isKept ? worker.ref() : worker.unref());
	const connected = (port: MessagePort) => port.close();
	const spawned: SpawnedWorker<T> = {api, failed, exited, eventLoopUse, keepProcess, connected, leave};
	// Answers to calls are no such messages.
	worker.on('message', (message: unknown) => {
		if (message instanceof MessagePort) spawned.connected(message);
	});
	return spawned;
}

/** In a worker thread: answers the owner's calls with the methods of `api`. */
export function serveOwner(api: object): void {
	if (parentPort === null) throw new TypeError('this module is the entry of a worker thread');
	expose(api, nodeEndpoint(parentPort));
}

/** In a worker thread: opens a channel to its owner, by which the thread hears and is heard while it is busy. Costs 0.2 ms. */
export function connectOwner(): MessagePort {
	if (parentPort === null) throw new TypeError('this thread has no owner');
	const {port1, port2} = new MessageChannel();
	parentPort.postMessage(port2, [port2]);
	return port1;
}

/** Argument of a call that has a channel's end in it, which the callee has from then on. */
export const withPort = <T>(argument: T, port: MessagePort): T =>
	// comlink's types know the channels of browsers.
	transfer(argument, [port] as unknown as Parameters<typeof transfer>[1]);

/** In a worker thread: ends the thread once nothing else keeps it. */
export function leaveOwner(): void {
	parentPort?.close();
}
