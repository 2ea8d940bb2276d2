import test from 'ava';
import {IoVectors} from '#devices/guest-memory';
import {DiskBackend, shareBytes} from '#devices/storage/backend';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {FakeReactor} from '#devices/testing';
import type {FileOperation, IoEngine} from '#support/io-engine';
import {PmemDisk} from './pmem-disk.ts';

const {NONE, IO, TIMEOUT, UNSUPPORTED} = DiskError;

class Request extends DiskRequest {
	readonly ends: DiskError[] = [];

	constructor(operation: DiskOperation) {
		super(new IoVectors(0));
		this.operation = operation;
	}

	override done(error: DiskError): void {
		this.ends.push(error);
	}
}

/** An engine whose calls end when a test says so: no file's fdatasync(2) hangs. */
class HangingEngine implements IoEngine {
	readonly name = 'io_uring';
	readonly calls: FileOperation[] = [];

	get inFlight(): number {
		return this.calls.length;
	}

	submit(operation: FileOperation): void {
		this.calls.push(operation);
	}

	async close(): Promise<void> {}
}

function make(timeout?: number) {
	const engine = new HangingEngine();
	const reactor = new FakeReactor();
	const memory = new SharedArrayBuffer(shareBytes(1));
	const host = {reactor, worker: {index: 0, count: 1}, memory, offset: 0, noticed() {}};
	const disk = new DiskBackend(new PmemDisk(0, 2 ** 21, engine), timeout === undefined ? {} : {timeout}, host, 0);
	return {
		engine,
		flush(operation: DiskOperation = DiskOperation.FLUSH): readonly DiskError[] {
			const request = new Request(operation);
			disk.submit(request);
			return request.ends;
		},
		answer: (result: number) => engine.calls.shift()?.completed(result),
		expire() {
			for (let step = 0; step < 40; step++) reactor.turn(0.25e9);
		},
	};
}

test('flushes that wait are done by one, which began after they came', (t) => {
	const {engine, flush, answer} = make();
	const [first, ...others] = [flush(), flush(), flush()];
	t.is(engine.inFlight, 1);
	answer(0);
	t.deepEqual([first, ...others], [[NONE], [], []]);
	t.is(engine.inFlight, 1);
	const last = flush();
	answer(0);
	t.deepEqual([...others, last], [[NONE], [NONE], []]);
	answer(0);
	t.deepEqual([last, engine.inFlight], [[NONE], 0]);
	t.deepEqual(flush(DiskOperation.READ), [UNSUPPORTED]);
});

test('a flush that the host does not answer is given up, and no later one is done before the host has said what it lost', (t) => {
	const {engine, flush, answer, expire} = make(5);
	const late = flush();
	expire();
	const next = flush();
	t.deepEqual([late, next, engine.inFlight], [[TIMEOUT], [], 1]);
	answer(-5);
	t.deepEqual(next, [IO], 'it may have lost what this one is about');
	t.deepEqual(engine.inFlight, 0);
	const alone = flush();
	expire();
	t.deepEqual(alone, [TIMEOUT]);
	answer(-5);
	const told = flush();
	answer(0);
	const again = flush();
	answer(0);
	t.deepEqual([told, again], [[IO], [NONE]]);
});
