import {parentPort, workerData} from 'node:worker_threads';
import {HostMemory, IoVectors} from '#devices/guest-memory';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {type DiskSource, openDisk} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import type {Readiness} from '#support/reactor';
import {backendBytes, DiskBackend} from '../disk-backend.ts';
import type {DiskPolicy} from '../policy.ts';

const {READ, WRITE, FLUSH} = DiskOperation;
const [few, many, turns] = [8, 24, 200];
/** The compiler has seen enough long before. */
const maxRounds = 500;
const requestBytes = 4096;

/** What a thread measures: one disk, as a device's thread has, since of disks of many kinds V8 calls what it else has in place. */
export interface GarbageSubject {
	readonly source: DiskSource;
	readonly policy: DiskPolicy;
	/** Where on the disk its requests begin. */
	readonly start: number;
}

/** What it has found. */
export interface FoundGarbage {
	readonly operations: readonly {
		readonly operation: DiskOperation;
		/** Three rounds were seen in which a request left less than a byte. */
		readonly isNone: boolean;
		/** Of the last rounds, in bytes a request. */
		readonly last: readonly number[];
	}[];
	readonly error: DiskError;
	readonly underWay: number;
}

/** Turns of whose own nothing is left in the heap. Nothing waits but for descriptors, of which all are taken for ready. */
class QuietReactor extends FakeReactor {
	readonly #ready: ((state: Readiness) => void)[] = [];
	readonly #deferred: (() => void)[] = [];

	override watch(...given: Parameters<FakeReactor['watch']>) {
		this.#ready.push(given[2]);
		return super.watch(...given);
	}

	override defer(action: () => void): void {
		this.#deferred.push(action);
	}

	/** What is deferred meanwhile has its turn too. */
	runDeferred(): void {
		for (let action = this.#deferred.pop(); action !== undefined; action = this.#deferred.pop()) action();
	}

	reportReady(): void {
		for (const ready of this.#ready) ready(allReady);
	}
}

const allReady: Readiness = {readable: true, writable: true, failed: false};

class Request extends DiskRequest {
	static underWay = 0;
	static error: DiskError = DiskError.NONE;

	constructor(index: number, start: number) {
		super(new IoVectors(1));
		this.vectors.addHost(new HostMemory(requestBytes), 0, requestBytes);
		this.offset = start + index * requestBytes;
		this.length = requestBytes;
	}

	override done(error: DiskError): void {
		Request.underWay--;
		Request.error ||= error;
	}
}

async function measure({source, policy, start}: GarbageSubject): Promise<FoundGarbage> {
	const reactor = new QuietReactor();
	const memory = new SharedArrayBuffer(backendBytes(source, 1));
	const host = {reactor, worker: {index: 0, count: 1}, memory, offset: 0, noticed: () => {}};
	const disk = await DiskBackend.open(source, false, policy, host, openDisk);
	const requests = Array.from({length: many}, (_, number) => new Request(number, start));
	const settle = () => {
		for (reactor.runDeferred(); Request.underWay > 0; reactor.runDeferred()) reactor.reportReady();
	};
	const turn = (count: number, operation: DiskOperation) => {
		for (let number = 0; number < count; number++) {
			const request = requests[number] as Request;
			request.operation = operation;
			Request.underWay++;
			disk.submit(request);
		}
		settle();
	};
	// Whatever has no place yet gets one, for which an image may wait.
	for (const request of [...requests, Object.assign(new Request(0, 0), {operation: FLUSH})]) {
		if (request.operation !== FLUSH) request.operation = WRITE;
		Request.underWay++;
		disk.submit(request);
		while (Request.underWay > 0) {
			reactor.runDeferred();
			reactor.reportReady();
			await new Promise((resolve) => setImmediate(resolve));
		}
	}
	const bytesOf = (count: number, operation: DiskOperation) => {
		const before = process.memoryUsage().heapUsed;
		for (let round = 0; round < turns; round++) turn(count, operation);
		return (process.memoryUsage().heapUsed - before) / turns;
	};
	const operations = [READ, WRITE].map((operation) => {
		// A collection takes some, the compiler leaves some, and a turn that waits some: in most rounds there is none of it.
		const seen: number[] = [];
		const isEnough = () => seen.filter((bytes) => bytes > -1 && bytes < 1).length === 3;
		while (seen.length < maxRounds && !isEnough()) {
			const least = bytesOf(few, operation);
			seen.push((bytesOf(many, operation) - least) / (many - few));
		}
		return {operation, isNone: isEnough(), last: seen.slice(-10)};
	});
	const closed = disk.close();
	reactor.runDeferred();
	await closed;
	return {operations, error: Request.error, underWay: Request.underWay};
}

parentPort?.postMessage(await measure(workerData as GarbageSubject));
