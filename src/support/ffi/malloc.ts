import {libc, libcInPool} from './libc.ts';

/** Parameter of mallopt(3). */
const M_TRIM_THRESHOLD = -1;

const cMallopt = libc('int mallopt(int parameter, int value)');
const cMallocTrim = libcInPool('int malloc_trim(size_t pad)');

/**
 * Has the C library give memory back to the host from the end of each of its heaps where that much has become free there. By itself it raises
 * the limit, up to 64 MiB, to twice the largest block that the process has freed: a compiler's threads then keep what they needed once.
 * @returns whether the library has such a limit: glibc has, musl has not
 */
export function limitFreeMemory(bytes: number): boolean {
	try {
		return cMallopt(M_TRIM_THRESHOLD, bytes) === 1;
	} catch {
		return false;
	}
}

/**
 * Gives all free pages of the C library's heaps back to the host, on a thread of Node's pool: also those between what is in use. Whoever
 * allocates waits meanwhile, for some milliseconds. Does nothing where the library cannot.
 */
export const giveBackFreeMemory = (): Promise<void> => cMallocTrim(0).catch(() => {});
