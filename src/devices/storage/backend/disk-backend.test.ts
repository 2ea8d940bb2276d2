import test, {type ExecutionContext} from 'ava';
import {IoVectors, MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {MemoryDisk} from '#devices/storage/memory';
import {FakeReactor} from '#devices/testing';
import {inspectTree, object, updateTree} from '#support/inspect';
import {DiskBackend} from './disk-backend.ts';
import {diskReport} from './disk-report.ts';
import {boundOf, bucketCount, bucketOf, quantile} from './latency.ts';
import type {DiskPolicy} from './policy.ts';
import {shareBytes} from './share.ts';
import {FaultyDisks} from './testing/index.ts';

const {READ, WRITE, FLUSH, DISCARD} = DiskOperation;
const diskBytes = 0x10_0000;
const second = 1e9;

/** A request that keeps how it ended. */
class Request extends DiskRequest {
	readonly ends: DiskError[] = [];

	override done(error: DiskError): void {
		this.ends.push(error);
		this.vectors.release();
	}
}

/** A disk with this policy and so many workers, on a clock of the test's. */
function make(policy: DiskPolicy, {workers = 1, shared = new SharedArrayBuffer(shareBytes(workers))} = {}) {
	const memory = new MappedMemory(plainMemory({gpa: 0, length: 0x1_0000}));
	const faulty = new FaultyDisks();
	let [nowNs, notices] = [5e15, 0];
	const reactors = Array.from({length: workers}, () => new FakeReactor());
	const content = new Uint8Array(new SharedArrayBuffer(diskBytes));
	const backends = reactors.map((reactor, index) => {
		const host = {reactor, worker: {index, count: workers}, memory: shared, offset: 0, noticed: () => notices++};
		const below = faulty.over(new MemoryDisk(content, false));
		return new DiskBackend(below, policy, host, 0, () => nowNs);
	});
	const report = diskReport([{disk: 0, offset: 0}], shared, workers);
	const tree = object(() => report.nodes());
	return {
		faulty,
		report,
		shared,
		first: backends[0] as DiskBackend,
		backends,
		submit(operation: DiskOperation, length: number, {offset = 0, worker = 0} = {}): Request {
			const request = new Request(new IoVectors(4));
			const hasData = operation === READ || operation === WRITE;
			if (hasData) memory.pin(0, length, operation === READ ? 'write' : 'read', request.vectors);
			Object.assign(request, {operation, offset, length});
			(backends[worker] as DiskBackend).submit(request);
			return request;
		},
		/** Lets time pass, and timers run out. */
		pass(ns: number) {
			nowNs += ns;
			for (const reactor of reactors) reactor.turn(ns);
		},
		noticed: () => notices,
		value: async (path: string) => {
			const found = await inspectTree(tree, `disks/0/${path}`, {});
			return 'value' in found ? found.value : undefined;
		},
		set: (path: string, text: string) => updateTree(tree, `disks/0/${path}`, text),
	};
}

/** Lets seconds pass, in steps by which timers are due in time. */
function passSlowly(pass: (ns: number) => void, seconds: number): void {
	for (let step = 0; step < 4 * seconds; step++) pass(second / 4);
}

const done = (requests: readonly Request[]): number => requests.filter(({ends}) => ends.length > 0).length;

test('a request that waits for a limit can be withdrawn, wherever it waits, and the others go on', (t) => {
	const {submit, pass, first} = make({limits: {iops: 10, iops_burst: 1}});
	const requests = Array.from({length: 5}, () => submit(READ, 512));
	const ends = () => requests.map((request) => request.ends);
	const withdraw = (index: number) => first.withdraw(requests[index] as Request);
	t.deepEqual([2, 4, 1].map(withdraw), [true, true, true]);
	t.deepEqual([0, 2].map(withdraw), [false, false], 'one is done, and one was withdrawn');
	t.deepEqual(ends(), [[DiskError.NONE], [DiskError.IO], [DiskError.IO], [], [DiskError.IO]]);
	requests.push(submit(READ, 512));
	for (let turn = 0; turn < 5; turn++) pass(second / 10);
	t.deepEqual(ends().slice(3), [[DiskError.NONE], [DiskError.IO], [DiskError.NONE]]);
	t.true(withdraw(3) === false && requests.every(({vectors}) => vectors.count === 0));
});

test('operations go at once up to the burst, and then as many a second as the limit says', (t) => {
	const {submit, pass} = make({limits: {iops: 10, iops_burst: 4}});
	const requests = Array.from({length: 24}, () => submit(READ, 512));
	t.is(done(requests), 4);
	for (let turn = 0; turn < 5; turn++) pass(second / 10);
	t.is(done(requests), 9);
	// A disk at rest saves no more than the burst.
	for (let turn = 0; turn < 20; turn++) pass(second / 10);
	t.is(done(requests), 24);
	pass(60 * second);
	const more = Array.from({length: 10}, () => submit(WRITE, 512));
	t.is(done(more), 4);
	t.deepEqual(
		requests.flatMap(({ends}) => ends),
		new Array(24).fill(DiskError.NONE),
	);
});

test('a request longer than the burst goes, and those after it wait for what it took', (t) => {
	const {submit, pass} = make({limits: {bps: 1000}});
	const [large, next] = [submit(READ, 4096), submit(READ, 512)];
	t.deepEqual([done([large]), done([next])], [1, 0]);
	pass(3.9 * second);
	t.is(done([next]), 0);
	pass(0.1 * second);
	t.is(done([next]), 1);
});

test('reads and writes have limits of their own, and neither waits for the other', (t) => {
	const {submit, pass} = make({limits: {iops_wr: 1, iops_wr_burst: 1, bps_rd: 512_000, bps_rd_burst: 512}});
	const writes = [submit(WRITE, 512), submit(FLUSH, 0), submit(DISCARD, 4096)];
	t.is(done(writes), 1);
	const reads = Array.from({length: 4}, () => submit(READ, 512));
	t.is(done(reads), 2, 'what is owed is less than a byte after the first');
	pass(second / 100);
	t.is(done(reads), 4);
	t.is(done(writes), 1);
	pass(second);
	t.is(done(writes), 2);
	pass(second);
	t.is(done(writes), 3);
});

test('of one limit reads and writes have their turns as they came, however many of the others there are', (t) => {
	for (const [one, other] of [
		[READ, WRITE],
		[WRITE, READ],
	] as const) {
		const {submit, pass} = make({limits: {iops: 10, iops_burst: 1}});
		const before = [submit(one, 512), submit(one, 512)];
		const late = submit(other, 512);
		const after = [submit(one, 512)];
		for (let turn = 0; turn < 3; turn++) {
			pass(second / 10);
			after.push(submit(one, 512));
		}
		t.deepEqual([done(before), done([late]), done(after)], [2, 1, 1]);
	}
});

test('all workers of a disk have one limit between them', (t) => {
	const {submit} = make({limits: {iops: 1, iops_burst: 3}}, {workers: 2});
	const requests = [0, 1, 0, 1, 0, 1].map((worker) => submit(READ, 512, {worker}));
	t.is(done(requests), 3);
});

test('limits are changed while requests wait for them, and shown', async (t) => {
	const {submit, pass, set, value} = make({limits: {bps: 1}});
	const requests = Array.from({length: 3}, () => submit(READ, 512));
	t.is(done(requests), 1);
	t.deepEqual([await value('waiting'), await value('inFlight'), await value('limits/bps')], [2, 2, 1]);
	await set('limits/bps', '1000000');
	pass(second / 10);
	t.is(done(requests), 3);
	t.is(await value('throttled'), 2);
	await set('limits/bps', '0');
	t.is(done(Array.from({length: 100}, () => submit(READ, 512))), 100);
	await t.throwsAsync(set('limits/bps', '-1'), {code: 'INSPECT_VALUE_INVALID'});
});

test('what waits for a limit keeps nobody from a rest, and is owed afterwards', (t) => {
	const {submit, first, pass} = make({limits: {iops: 10, iops_burst: 1}});
	const requests = Array.from({length: 11}, () => submit(READ, 512));
	t.is(done(requests), 1);
	first.stop();
	t.is(done(requests), 11);
	t.is(done([submit(WRITE, 512)]), 1, 'what comes of one meanwhile does not wait either');
	first.start();
	const next = submit(READ, 512);
	pass(0.9 * second);
	t.is(done([next]), 0);
	pass(0.3 * second);
	t.is(done([next]), 1);
});

test('what waits for a limit is given up where the driver resets the device, or the disk is closed, and is not owed', async (t) => {
	for (const how of ['reset', 'closed']) {
		const {submit, first, pass, faulty, value} = make({limits: {iops: 10, iops_burst: 1}});
		const requests = [READ, WRITE, READ, FLUSH].map((operation) => submit(operation, operation === FLUSH ? 0 : 512));
		if (how === 'reset') first.stop(true);
		else await first.close();
		t.deepEqual(
			requests.map(({ends}) => ends),
			[[DiskError.NONE], [DiskError.IO], [DiskError.IO], [DiskError.IO]],
		);
		t.is(faulty.seen.length, 1);
		t.deepEqual([await value('inFlight'), await value('waiting'), await value('failures')], [0, 0, 0]);
		pass(second / 10);
		first.start();
		if (how === 'reset') t.is(done([submit(WRITE, 512)]), 1);
	}
});

test('errors of the host are told, kept from the guest, or have the request held; those of the guest are its own', (t) => {
	const policies: readonly (readonly [DiskPolicy, io: DiskError, full: DiskError])[] = [
		[{}, DiskError.IO, DiskError.NO_SPACE],
		[{onError: 'ignore'}, DiskError.NONE, DiskError.NONE],
		[{onError: 'stop'}, DiskError.HELD, DiskError.HELD],
		[{enospc: 'stop'}, DiskError.IO, DiskError.HELD],
		[{onError: 'stop', enospc: 'report'}, DiskError.HELD, DiskError.NO_SPACE],
	];
	for (const [policy, io, full] of policies) {
		const {faulty, submit, report, noticed, shared} = make(policy);
		faulty.fault = ({operation}) => (operation === READ ? DiskError.IO : DiskError.NO_SPACE);
		t.deepEqual(submit(READ, 512, {offset: 1024}).ends, [io]);
		const [notice, ...others] = report.notices();
		t.deepEqual(others, []);
		const {action, ...details} = notice?.details ?? {};
		t.deepEqual(details, {disk: 0, operation: 'read', offset: 1024, length: 512, count: 1, error: 'io'});
		t.is(notice?.pauses, action === 'stop');
		faulty.why = `${'a table is damaged, '.repeat(20)}indeed`;
		for (let times = 0; times < 3; times++) t.deepEqual(submit(WRITE, 512).ends, [full]);
		const second = report.notices()[0];
		t.like(second?.details, {count: 3, error: 'no-space', operation: 'write', why: faulty.why.slice(0, 252)});
		t.regex(second?.message ?? '', /no room on the host \(a table is damaged, .*\), and 2 more/);
		t.deepEqual(report.notices(), []);
		t.is(noticed(), 4);
		faulty.fault = () => undefined;
		t.deepEqual(submit(READ, 512, {offset: diskBytes}).ends, [DiskError.OUT_OF_RANGE]);
		t.is(noticed(), 4, 'what a guest asks for wrongly is nobody else’s business');
		new Uint8Array(shared).fill(0);
		t.deepEqual(report.notices(), [], 'the device is no more');
	}
});

test('requests are counted by what they are, and how long the disk takes for them', async (t) => {
	const {submit, value, faulty} = make({}, {workers: 2});
	for (let times = 0; times < 10; times++) submit(READ, 1024, {worker: times % 2});
	submit(WRITE, 512);
	submit(FLUSH, 0);
	submit(READ, 512, {offset: diskBytes});
	faulty.fault = () => 'hangs';
	submit(DISCARD, 512);
	t.deepEqual(await Promise.all(['requests', 'bytes', 'errors'].map((name) => value(`read/${name}`))), [11, 10_752, 1]);
	t.deepEqual(await Promise.all(['write', 'flush', 'discard'].map((name) => value(`${name}/requests`))), [1, 1, 0]);
	t.is(await value('inFlight'), 1);
	const [p50, p999] = [await value('read/p50'), await value('read/p999')];
	t.true(Number(p50) > 0 && Number(p50) <= Number(p999));
	faulty.answer();
	t.deepEqual([await value('inFlight'), await value('discard/requests')], [0, 1]);
});

test('a disk whose host says nothing is told of once, and once when all has its answer, whoever waits for it', async (t) => {
	const {faulty, submit, report, noticed, value, pass} = make({}, {workers: 2});
	const seconds = (count: number) => passSlowly(pass, count);
	const kinds = () => report.notices().map(({kind}) => kind);
	faulty.fault = ({operation}) => (operation === FLUSH ? undefined : 'hangs');
	const first = submit(READ, 512, {offset: 1024});
	seconds(6);
	const other = submit(WRITE, 512, {worker: 1});
	submit(FLUSH, 0);
	seconds(4);
	t.deepEqual([noticed(), await value('hung')], [0, 0]);
	seconds(4);
	const [notice, ...others] = report.notices();
	t.deepEqual([others, noticed(), await value('hung')], [[], 1, 1]);
	t.like(notice, {kind: 'disk-hangs', pauses: false});
	t.deepEqual(notice?.details, {disk: 0, operation: 'read', offset: 1024, length: 512, mover: 'memory', seconds: 10});
	t.regex(notice?.message ?? '', /^Disk 0: read of 512 bytes at 1024 has had no answer of the host for 10 s/);
	seconds(60);
	t.deepEqual([kinds(), await value('hung')], [[], 2]);
	t.deepEqual([first.ends, other.ends], [[], []], 'the guest waits');
	faulty.fault = () => undefined;
	faulty.answer(1);
	t.deepEqual([kinds(), await value('hung')], [[], 1]);
	faulty.answer();
	t.deepEqual([kinds(), await value('hung'), noticed()], [['disk-answers'], 0, 2]);
	t.deepEqual([first.ends, other.ends], [[DiskError.NONE], [DiskError.NONE]]);
	faulty.fault = () => 'hangs';
	submit(READ, 512);
	seconds(12);
	faulty.answer();
	t.deepEqual(kinds(), ['disk-hangs', 'disk-answers'], 'and of the next time as of the first');
	seconds(60);
	t.deepEqual([kinds(), noticed()], [[], 4]);
});

test('what waits for a limit or has run out of time does not hang, and a disk that is closed has nothing that does', async (t) => {
	const limited = make({limits: {bps: 1, bps_burst: 512}});
	limited.submit(READ, 512);
	limited.submit(READ, 512);
	passSlowly(limited.pass, 60);
	t.is(limited.noticed(), 0);
	const timed = make({timeout: 20});
	timed.faulty.fault = () => 'hangs';
	timed.submit(READ, 512);
	passSlowly(timed.pass, 30);
	t.deepEqual(
		timed.report.notices().map(({kind, details}) => [kind, details['error']]),
		[
			['disk-hangs', undefined],
			['disk-error', 'timeout'],
		],
	);
	t.is(await timed.value('hung'), 0);
	timed.submit(READ, 512);
	passSlowly(timed.pass, 15);
	t.is(await timed.value('hung'), 1);
	await timed.first.close();
	t.is(await timed.value('hung'), 0);
	const notices = timed.noticed();
	timed.faulty.answer();
	passSlowly(timed.pass, 30);
	t.is(timed.noticed(), notices);
});

test('a process that was stopped does not take its disk for one that hangs', (t) => {
	const {faulty, submit, noticed, pass} = make({});
	faulty.fault = () => 'hangs';
	submit(READ, 512);
	pass(3600 * second);
	faulty.answer();
	t.is(noticed(), 0);
});

test('a time is in the bucket whose bounds it lies between', (t: ExecutionContext) => {
	t.is(bucketOf(0), 0);
	for (const ns of [255, 256, 1000, 12_345, 1e6, 7.7e8, 3e10]) {
		const bucket = bucketOf(ns);
		t.true(ns < boundOf(bucket) && (bucket === 0 || ns >= boundOf(bucket - 1)), `${ns} in ${bucket}`);
	}
	t.is(bucketOf(1e18), bucketCount - 1);
	const counts = new Array<number>(bucketCount).fill(0);
	t.is(quantile(counts, 0.5), 0);
	counts[3] = 90;
	counts[50] = 10;
	t.deepEqual([quantile(counts, 0.5), quantile(counts, 0.9), quantile(counts, 0.91)], [3, 3, 50].map(boundOf));
});

test('a disk that has no length of its own stays as long as it is, and its owner hears why', async (t) => {
	const {first, report, noticed, set, value} = make({});
	t.is(await value('size'), diskBytes);
	await set('newSize', `${2 * diskBytes}`);
	await first.measure();
	t.is(noticed(), 1);
	const [notice, ...more] = report.notices();
	t.deepEqual(more, []);
	t.like(notice, {kind: 'disk-length', pauses: false});
	t.regex(notice?.message ?? '', /no way to have 2097152/);
	t.deepEqual([await value('size'), await value('newSize')], [diskBytes, 0]);
	await first.measure();
	t.deepEqual(report.notices(), [], 'it was wanted once');
});
