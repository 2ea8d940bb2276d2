import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {HostMemory, IoVectors} from '#devices/guest-memory';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {diskOption, openDisk} from '#devices/storage/source';
import {FakeReactor} from '#devices/testing';
import type {Readiness} from '#support/reactor';
import {backendBytes, DiskBackend} from './disk-backend.ts';
import type {DiskPolicy} from './policy.ts';

const {READ, WRITE, FLUSH} = DiskOperation;
const [few, many, turns] = [8, 24, 200];
/** The compiler has seen enough long before. */
const maxRounds = 500;
const requestBytes = 4096;
/** Of disks in files, and where in it the requests are. */
const [farBytes, far] = [2 ** 34, 2 ** 33];
const folder = mkdtempSync(join(tmpdir(), 'openvmm-disk-garbage-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));
const unlimited = 2 ** 40;
const limits = {bps: unlimited, iops: unlimited, iops_wr: unlimited, bps_rd: unlimited};

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

/** What V8 needs for a number that is none of 31 bits, as an offset far in a file, where one function gives it to another. */
const number = 16;
/** Disks, and the bytes that a request leaves at most. */
const subjects: Readonly<Record<string, readonly [disk: string, policy: DiskPolicy, most: number]>> = {
	'a file by io_uring': ['file:%raw;engine=io_uring', {}, number],
	'a qcow2 image by io_uring': ['file:%qcow2;engine=io_uring', {}, 2 * number],
	'a VHDX image by io_uring': ['file:%vhdx;engine=io_uring', {}, number],
	'a file with limits': ['file:%raw;engine=io_uring', {limits}, 2 * number],
	'a file with a timeout': ['file:%raw;engine=io_uring', {timeout: 3600}, 3 * number],
	'a disk in RAM with limits': ['mem:1M', {limits}, 0],
	'a disk in RAM with a timeout': ['mem:1M', {timeout: 3600}, 0],
};

for (const [index, [name, [text, policy, most]]] of Object.entries(subjects).entries())
	test.serial(`a request leaves nothing in the heap but numbers, once it is compiled: ${name}`, async (t) => {
		t.timeout(900_000);
		const path = text.replace('%', join(folder, `${index}.`));
		const source = diskOption.parse(path.startsWith('mem') ? path : `${path};create=${farBytes}`, '--disk');
		const isFar = source.kind === 'file';
		const reactor = new QuietReactor();
		const memory = new SharedArrayBuffer(backendBytes(source, 1));
		const host = {reactor, worker: {index: 0, count: 1}, memory, offset: 0, noticed: () => {}};
		const disk = await DiskBackend.open(source, false, policy, host, openDisk);
		const requests = Array.from({length: many}, (_, number) => new Request(number, isFar ? far : 0));
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
		for (const operation of [READ, WRITE]) {
			// A collection takes some, the compiler leaves some, and a turn that waits some: in most rounds there is none of it.
			const seen: number[] = [];
			const isEnough = () => seen.filter((bytes) => bytes > -1 && bytes < most + 1).length === 3;
			while (seen.length < maxRounds && !isEnough()) {
				const least = bytesOf(few, operation);
				seen.push((bytesOf(many, operation) - least) / (many - few));
			}
			t.true(isEnough(), `${operation}, bytes a request: ${seen.slice(-10).join()}`);
		}
		t.is(Request.error, DiskError.NONE);
		t.is(Request.underWay, 0);
		const closed = disk.close();
		reactor.runDeferred();
		await closed;
	});
