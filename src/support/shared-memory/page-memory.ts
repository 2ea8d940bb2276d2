/**
 * Page-aligned shared buffers that the kernel can map over: a shared WebAssembly memory is the one SharedArrayBuffer
 * whose first byte is sure to lie at the start of a page, and whose pages are committed only when touched.
 */

/** Node's part of the JavaScript API of WebAssembly (threads and memory64); its types come with DOM only. */
declare const WebAssembly: {
	readonly Memory: new (
		descriptor:
			| {readonly initial: bigint; readonly maximum: bigint; readonly shared: true; readonly address: 'i64'}
			| {readonly initial: number; readonly maximum: number; readonly shared: true},
	) => SharedMemory;
};

/**
 * A shared memory as an object that structured clone carries to other threads: a `WebAssembly.Memory`, which code compiled
 * to WebAssembly can import.
 */
export interface SharedMemory {
	readonly buffer: SharedArrayBuffer;
}

/** Granularity in bytes (WebAssembly page). */
export const sharedPageSize = 65536;

/** Largest buffer in bytes: V8's limit for 64-bit memories. */
export const maxSharedPages = 16 * 1024 ** 3;

/**
 * Allocates a zeroed, page-aligned memory of at least `byteLength` bytes.
 * @throws RangeError when the address space is exhausted or `byteLength` exceeds {@link maxSharedPages}
 */
export function allocateSharedMemory(byteLength: number): SharedMemory {
	const pages = BigInt(Math.ceil(byteLength / sharedPageSize));
	return new WebAssembly.Memory({initial: pages, maximum: pages, shared: true, address: 'i64'});
}

/** Allocates one with addresses of 32 bits, of so many pages of {@link sharedPageSize}. */
export const allocateSmallMemory = (pages: number): SharedMemory =>
	new WebAssembly.Memory({initial: pages, maximum: pages, shared: true});

/** The buffer of {@link allocateSharedMemory}, for memory that no compiled code imports. */
export const allocateSharedPages = (byteLength: number): SharedArrayBuffer => allocateSharedMemory(byteLength).buffer;
