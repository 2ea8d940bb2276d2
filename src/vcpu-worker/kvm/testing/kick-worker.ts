/** The vCPU thread of the kick tests: runs the guest, and counts the requests it sees after each kick. */
import {parentPort, workerData} from 'node:worker_threads';
import {prepareThread} from '../kick.ts';
import {type ControlMemory, KvmVcpu} from '../vcpu.ts';

/** Data that the test hands to its vCPU thread. */
export interface KickWorkerData {
	readonly vcpuFd: number;
	readonly control: ControlMemory;
	/** {@link KickWords}, as 32-bit words. */
	readonly shared: SharedArrayBuffer;
}

/** Indexes of the shared words. */
export const KickWords = {REQUESTED: 0, SEEN: 1, STOP: 2, RUNS: 3, RESULT: 4} as const;

const {vcpuFd, control, shared} = workerData as KickWorkerData;
const words = new Int32Array(shared);
const vcpu = new KvmVcpu(vcpuFd, control);
parentPort?.postMessage(prepareThread());

while (Atomics.load(words, KickWords.STOP) === 0) {
	const result = vcpu.run();
	Atomics.add(words, KickWords.RUNS, 1);
	Atomics.store(words, KickWords.RESULT, result);
	vcpu.kicks.acknowledge();
	Atomics.store(words, KickWords.SEEN, Atomics.load(words, KickWords.REQUESTED));
	Atomics.notify(words, KickWords.SEEN);
}
