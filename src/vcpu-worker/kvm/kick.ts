/**
 * Brings a vCPU out of KVM_RUN, from any thread: by a flag in its mapped page where it is about to enter, and by a
 * signal where it is inside or asleep there. The signal is blocked in every vCPU thread and let through by KVM_RUN
 * alone, which answers EINTR and leaves it pending; so there is no signal handler, and nothing is ever interrupted but
 * KVM_RUN (Documentation/virt/kvm/api.rst, 4.21 and immediate_exit in section 5).
 */
import {blockSignal, gettid, signalConsumer, signalThread} from '#support/ffi';
import {ArgumentBuffer} from './argument-buffer.ts';
import {kvmError} from './errors.ts';
import {kvmIoctl} from './ioctl.ts';
import {KvmRun} from './structs-run.ts';
import {KvmSignalMask} from './structs-vm.ts';

// glibc keeps 32 and 33 for itself, so SIGRTMIN is 34; debuggers and profilers favour the first few after it.
const SIGRTMIN = 34;

/** The signal that kicks. Real-time: nothing else in Node or V8 uses it. */
export const kickSignal = SIGRTMIN + 6;

const immediateExit = KvmRun.offset('immediate_exit');
/** Signals queue; this many are taken at a time. Each kicker adds at most one before the flag is cleared. */
const maxPending = 4096;

/** Prepares the calling thread for running vCPUs. Returns its id, for {@link VcpuKick}. */
export function prepareThread(): number {
	const result = blockSignal(kickSignal);
	if (result !== 0) throw kvmError('HOST_CALL_FAILED', {call: 'pthread_sigmask', errno: Math.abs(result)});
	return gettid();
}

/** The signals blocked inside KVM_RUN: all but the kick. Signals meant for the process go to threads that can act. */
export function setRunSignalMask(vcpuFd: number): void {
	// The kernel's own signal set, 64 bits, not libc's 1024.
	const kernelSetBytes = 8;
	const buffer = new ArgumentBuffer(KvmSignalMask.size + kernelSetBytes);
	buffer.with(KvmSignalMask, {len: kernelSetBytes});
	const all = 2n ** 64n - 1n;
	const mask = all ^ (1n << BigInt(kickSignal - 1));
	buffer.view.setBigUint64(KvmSignalMask.size, mask, true);
	kvmIoctl(vcpuFd, 'KVM_SET_SIGNAL_MASK', buffer);
}

/** Any thread's handle to kick one vCPU. */
export class VcpuKick {
	readonly #page: Uint8Array;
	readonly #tid: number;

	/**
	 * @param page - the shared memory that the vCPU's `kvm_run` is mapped over, from its first byte
	 * @param tid - the thread that runs the vCPU, from {@link prepareThread}
	 */
	constructor(page: Uint8Array, tid: number) {
		this.#page = page;
		this.#tid = tid;
	}

	/**
	 * Makes KVM_RUN return -EINTR: the call under way, or else the next. Raise what the thread should look at first; it
	 * clears the kick ({@link KickReceiver.acknowledge}) before it looks, so nothing raised before a kick is missed.
	 * Kicks that meet a kick not yet cleared merge with it.
	 * @returns 0 or the negated errno: -ESRCH when the thread is gone
	 */
	kick(): number {
		// Whoever raised the flag also sends the signal; for the others there is nothing to add.
		if (Atomics.exchange(this.#page, immediateExit, 1) !== 0) return 0;
		return signalThread(this.#tid, kickSignal);
	}
}

/** The vCPU thread's side of the kick. One per thread and vCPU. */
export class KickReceiver {
	readonly #page: Uint8Array;
	readonly #consume: () => boolean;

	constructor(page: Uint8Array) {
		this.#page = page;
		this.#consume = signalConsumer(kickSignal);
	}

	/** Clears the kick and its signals. Call after every -EINTR, then look at what was asked. Allocates nothing. */
	acknowledge(): void {
		Atomics.store(this.#page, immediateExit, 0);
		// A signal left pending would end every later KVM_RUN at once.
		for (let taken = 0; taken < maxPending && this.#consume(); taken++);
	}

	/** Makes the next KVM_RUN finish the pending access and return -EINTR without running the guest. */
	exitImmediately(): void {
		Atomics.store(this.#page, immediateExit, 1);
	}
}
