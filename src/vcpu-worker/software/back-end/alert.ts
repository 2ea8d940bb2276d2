import {requestWords} from '#vcpu-worker/software/shared';
import type {SoftwarePartitionHandle} from './handles.ts';

/** Sets bits of a processor's request word and has its thread look, also one that is about to wait. */
export type Alert = (processor: number, request: number) => void;

/** Alerts the processors of a partition, from any thread. */
export function alertOf({shared}: SoftwarePartitionHandle): Alert {
	const requests = requestWords(shared);
	return (processor, request) => {
		const word = requests[processor] as Int32Array;
		Atomics.or(word, 0, request);
		Atomics.notify(word, 0);
	};
}
