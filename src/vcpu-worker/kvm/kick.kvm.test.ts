import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import test from 'ava';
import {Errno} from '#support/ffi';
import {VcpuKick} from './kick.ts';
import {startGuest} from './testing/test-guest.ts';
import {controlBytes} from './vcpu.ts';

const kicks = 300;
// As in testing/kick-worker.ts, which runs as a program of its own when imported.
const [REQUESTED, SEEN, STOP, RUNS, RESULT] = [0, 1, 2, 3, 4] as const;

/** Runs the guest on another thread and kicks it many times, each time waiting until the thread saw the request. */
const everyKickIsSeen = test.macro(async (t, code: readonly number[]) => {
	using guest = startGuest({code});
	const words = new Int32Array(new SharedArrayBuffer(32));
	const worker = new Worker(new URL('testing/kick-worker.ts', import.meta.url), {
		workerData: {vcpuFd: guest.vcpu.fd, control: guest.control, shared: words.buffer},
	});
	const [tid] = (await once(worker, 'message')) as [number];
	const kick = new VcpuKick(controlBytes(guest.control), tid);
	let lost = 0;
	for (let request = 1; lost === 0 && request <= kicks; request++) {
		Atomics.store(words, REQUESTED, request);
		t.is(kick.kick(), 0);
		// A notification of the request before may end a wait for this one.
		while (lost === 0 && Atomics.load(words, SEEN) !== request) {
			if (Atomics.wait(words, SEEN, request - 1, 60_000) === 'timed-out') lost++;
		}
	}
	t.is(lost, 0);
	t.is(words[RESULT], -Errno.EINTR);
	t.true((words[RUNS] as number) <= 2 * kicks + 2, `${words[RUNS]} runs: a signal was left pending`);
	Atomics.store(words, STOP, 1);
	kick.kick();
	await once(worker, 'exit');
	t.is(words[SEEN], kicks);
});

// cli; jmp to itself
test.serial('a guest that spins with interrupts off sees every kick', everyKickIsSeen, [0xfa, 0xeb, 0xfe]);
// cli; again: hlt; jmp again
test.serial('a guest that halts for ever sees every kick', everyKickIsSeen, [0xfa, 0xf4, 0xeb, 0xfd]);
