/** What the host itself gives of a file: by a call for each request, and by an I/O engine. Peers of disks in benches. */

import {addressOf, koffi, RWF_DSYNC} from '#support/ffi';
import {type EngineName, FileAction, FileOperation, openIoEngine} from '#support/io-engine';
import {EpollReactor} from '#support/reactor';
import type {DiskJob} from './disk-job.ts';

/** Direct I/O wants memory that begins with a block of its medium. */
const alignment = 4096;

/** A request of a job for a file. */
class HostCall extends FileOperation {
	readonly #memory: SharedArrayBuffer;
	readonly #vector = new BigUint64Array(2);
	ended: () => void = () => {};
	/** Has it flushed, where its job has that. */
	flush: (() => void) | undefined;

	constructor(fd: number, job: DiskJob) {
		super();
		this.#memory = new SharedArrayBuffer(job.bytes + alignment);
		const at = Math.ceil(Number(addressOf(this.#memory)) / alignment) * alignment;
		this.#vector.set([BigInt(at), BigInt(job.bytes)]);
		this.vectors = Number(addressOf(this.#vector));
		this.count = 1;
		this.buffer = at;
		this.length = job.bytes;
		this.action = job.kind === 'read' ? FileAction.READ : FileAction.WRITE;
		this.flags = job.isDurable ? RWF_DSYNC : 0;
		this.fd = fd;
	}

	override completed(result: number): void {
		if (this.action === FileAction.SYNC) {
			if (result < 0) throw new Error(`the host gave ${result} for a flush`);
			this.action = FileAction.WRITE;
			this.ended();
			return;
		}
		if (result !== this.length) throw new Error(`the host gave ${result} of ${this.length} bytes`);
		if (this.flush === undefined) this.ended();
		else {
			this.action = FileAction.SYNC;
			this.flush();
		}
	}
}

/** Does so many requests by preadv2(2) or pwritev2(2), each with an fdatasync(2) where its job is flushed, one behind the other, and says of each how long it took. */
export function callLoop(fd: number, job: DiskJob): (requests: number, microseconds?: number[]) => void {
	const name = job.kind === 'read' ? 'preadv2' : 'pwritev2';
	const parameters = '(int fd, uintptr_t vectors, int count, int64_t offset, int flags)';
	const call = koffi().load(null).func(`intptr_t ${name}${parameters}`);
	const flush = job.isFlushed ? koffi().load(null).func('int fdatasync(int fd)') : () => 0;
	const request = new HostCall(fd, job);
	return (requests, microseconds) => {
		for (let left = requests; left > 0; left--) {
			const since = microseconds && performance.now();
			const done = call(request.fd, request.vectors, 1, job.next(), request.flags);
			if (done !== job.bytes) throw new Error(`${name} gave ${done} of ${job.bytes} bytes`);
			if (flush(request.fd) !== 0) throw new Error('fdatasync has failed');
			if (since !== undefined) microseconds?.push((performance.now() - since) * 1000);
		}
	};
}

/** Does them by an engine, so many at once, on this thread. */
export function startEngine(fd: number, name: EngineName, job: DiskJob, mostDepth: number) {
	const reactor = new EpollReactor();
	const engine = openIoEngine(reactor, name);
	const running = reactor.run();
	const calls = Array.from({length: mostDepth}, () => new HostCall(fd, job));
	return {
		async run(requests: number, depth: number): Promise<void> {
			const {promise, resolve} = Promise.withResolvers<void>();
			let [left, underWay] = [requests, depth];
			for (const call of calls.slice(0, depth)) {
				if (job.isFlushed) call.flush = () => engine.submit(call);
				call.ended = () => {
					if (left-- > 0) {
						call.offset = job.next();
						engine.submit(call);
					} else if (--underWay === 0) resolve();
				};
				call.ended();
			}
			await promise;
		},
		async end(): Promise<void> {
			await engine.close();
			reactor.close();
			await running;
		},
	};
}
