import {AsyncLocalStorage, AsyncResource} from 'node:async_hooks';

/** Told of what a device's code throws where nobody has called it. */
type Strayed = (when: string, cause: unknown) => void;

const running = new AsyncLocalStorage<DeviceCode>();

/** The code of one device: what it begins while it runs is the device's too, such as promises and operations of `node:fs`. */
export class DeviceCode {
	/** May change while the code has something under way; it is what that keeps in memory. */
	strayed: Strayed;
	readonly #scope: AsyncResource;

	constructor(strayed: Strayed) {
		this.strayed = strayed;
		// It costs a call some 20 ns; the storage's own way costs hundreds.
		this.#scope = running.run(this, () => new AsyncResource('Device'));
	}

	/** Runs a call of the code. */
	run<R>(action: () => R): R {
		return this.#scope.runInAsyncScope(action);
	}
}

/** The events of a thread of Node's that tell of what nobody catches. */
interface UncaughtEvents {
	on(name: 'unhandledRejection' | 'uncaughtException', listener: (cause: unknown) => void): unknown;
}

/** Has devices told of what their code throws on this thread where nobody catches it. What is no device's ends the thread, as without this. */
export function catchStrays(thread: UncaughtEvents = process): void {
	const told = (when: string, cause: unknown): boolean => {
		const code = running.getStore();
		code?.strayed(when, cause);
		return code !== undefined;
	};
	let isNobodys = false;
	thread.on('unhandledRejection', (cause) => {
		if (told('a promise', cause)) return;
		// Node makes an exception of it, with whatever code ran last.
		isNobodys = true;
		throw cause;
	});
	thread.on('uncaughtException', (cause) => {
		if (isNobodys || !told('a callback', cause)) throw cause;
	});
}
