import {getEnvironmentData, setEnvironmentData} from 'node:worker_threads';

/**
 * A count that this thread has in common with those that it starts from now on, and with all that these start.
 * @param what - tells it from others: whoever says the same has it, and it is zero for the first
 */
export function processCount(what: string): Int32Array<SharedArrayBuffer> {
	// Environment data of Node's goes from a thread to those that it starts.
	const key = `openvmm: ${what}`;
	const known: unknown = getEnvironmentData(key);
	if (known instanceof SharedArrayBuffer) return new Int32Array(known);
	const made = new SharedArrayBuffer(4);
	setEnvironmentData(key, made);
	return new Int32Array(made);
}
