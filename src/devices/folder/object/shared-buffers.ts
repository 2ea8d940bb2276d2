/** Most bytes that go to an object or come from it in one call. */
export const mostMoved: number = 2 ** 20;
/** Lengths of buffers are powers of two from this one on, so that few are used again and again. */
const leastBytes = 2 ** 12;
/** Buffers of one length that wait to be used again. */
const mostIdle = 4;

/**
 * Memory through which a folder's content goes between a device's worker and its program, which both have. One buffer is one call's: who gave up waiting
 * does not give it back, as the program may still write to it.
 */
export class SharedBuffers {
	readonly #idle = new Map<number, Uint8Array<SharedArrayBuffer>[]>();

	/** @returns one of at least so many bytes, which may hold anything of before */
	take(bytes: number): Uint8Array<SharedArrayBuffer> {
		const length = Math.max(leastBytes, 2 ** Math.ceil(Math.log2(bytes)));
		return this.#idle.get(length)?.pop() ?? new Uint8Array(new SharedArrayBuffer(length));
	}

	giveBack(buffer: Uint8Array<SharedArrayBuffer>): void {
		const idle = this.#idle.get(buffer.length) ?? [];
		this.#idle.set(buffer.length, idle);
		if (idle.length < mostIdle) idle.push(buffer);
	}
}
