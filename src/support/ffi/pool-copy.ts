import {libcInPool} from './libc.ts';

const cMemcpy = libcInPool('intptr_t memcpy(uintptr_t target, uintptr_t source, size_t length)');
const cMemset = libcInPool('intptr_t memset(uintptr_t target, int value, size_t length)');

/**
 * Copies between host addresses on a thread of Node's pool. Whoever calls it keeps both buffers referenced until then: the
 * pages are gone with the last reference.
 */
export const copyInPool = (target: bigint, source: bigint, length: number): Promise<void> =>
	cMemcpy(target, source, length);

/** Sets bytes at a host address on a thread of Node's pool. The same holds for their buffer. */
export const fillInPool = (target: bigint, value: number, length: number): Promise<void> =>
	cMemset(target, value, length);
