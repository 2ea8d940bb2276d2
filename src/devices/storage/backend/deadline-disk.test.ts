import test from 'ava';
import {IoVectors, MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {MemoryDisk} from '#devices/storage/memory';
import {FakeReactor} from '#devices/testing';
import {DeadlineDisk} from './deadline-disk.ts';
import {DiskShare, diskShare} from './share.ts';
import {FaultyDisks} from './testing/index.ts';

const {READ, WRITE, FLUSH} = DiskOperation;
const {NONE, IO, TIMEOUT, OUT_OF_RANGE, UNSUPPORTED} = DiskError;
const [diskBytes, ramBytes] = [2 ** 24, 2 ** 23];

class Request extends DiskRequest {
	readonly ends: DiskError[] = [];

	override done(error: DiskError): void {
		this.ends.push(error);
		this.vectors.release();
	}
}

function make() {
	const ram = plainMemory({gpa: 0, length: ramBytes});
	const memory = new MappedMemory(ram);
	const content = new Uint8Array(new SharedArrayBuffer(diskBytes));
	const share = diskShare(new SharedArrayBuffer(DiskShare.byteLength), 0);
	const faulty = new FaultyDisks();
	const reactors = [new FakeReactor(), new FakeReactor()];
	const workers = reactors.map(
		(reactor) => new DeadlineDisk(faulty.over(new MemoryDisk(content, false)), {reactor, share, limitNs: 8e9}),
	);
	return {
		memory,
		workers,
		content,
		faulty,
		share,
		submit(
			operation: DiskOperation,
			length: number,
			{offset = 0, gpa = 0, worker = 0, isDurable = false} = {},
		): Request {
			const request = new Request(new IoVectors(8));
			// In two parts, none of which begins with a page.
			const cut = Math.floor(length / 3);
			const direction = operation === READ ? 'write' : 'read';
			if (operation === READ || operation === WRITE) {
				memory.pin(gpa + 1, cut, direction, request.vectors);
				memory.pin(gpa + 1 + cut, length - cut, direction, request.vectors);
			}
			Object.assign(request, {operation, offset, length, isDurable});
			workers[worker]?.submit(request);
			return request;
		},
		/** Lets time pass; without any the time of all that is under way is over. */
		expire: (seconds = 9) => {
			for (let second = 0; second < seconds; second++) for (const reactor of reactors) reactor.turn(1e9);
		},
		bytes(gpa: number, length: number): Uint8Array {
			const copy = new Uint8Array(length);
			memory.copyOut(gpa, copy);
			return copy;
		},
	};
}

test('data go both ways, whatever their length', (t) => {
	const {submit, memory, bytes, content} = make();
	for (const length of [0, 512, 65_536, 66_048, 2 ** 22]) {
		const data = Uint8Array.from({length}, (_, index) => (index * 7 + length) & 0xff);
		memory.copyIn(1, data);
		t.deepEqual(submit(WRITE, length, {offset: 4096}).ends, [NONE]);
		t.true(Buffer.from(data).equals(content.subarray(4096, 4096 + length)));
		memory.fill(0, ramBytes, 0);
		t.deepEqual(submit(READ, length, {offset: 4096}).ends, [NONE]);
		t.true(Buffer.from(data).equals(bytes(1, length)));
		t.deepEqual([...bytes(length + 1, 4)], [0, 0, 0, 0], 'and nothing behind');
	}
	t.deepEqual(submit(FLUSH, 0).ends, [NONE]);
	t.deepEqual(submit(READ, 512, {offset: diskBytes}).ends, [OUT_OF_RANGE]);
	t.deepEqual(submit(WRITE, 2 ** 22 + 512).ends, [UNSUPPORTED]);
});

test('a read that comes too late touches no memory of the guest, and keeps no other request', (t) => {
	const {submit, memory, faulty, content, bytes, expire} = make();
	content.fill(0xaa);
	faulty.fault = () => 'hangs';
	const late = submit(READ, 4096);
	t.deepEqual(late.ends, []);
	expire();
	t.deepEqual(late.ends, [TIMEOUT]);
	t.is(late.vectors.count, 0, 'the guest has its memory again');
	memory.fill(0, 8192, 0x55);
	faulty.fault = () => undefined;
	t.deepEqual(submit(WRITE, 512, {offset: 8192}).ends, [NONE]);
	faulty.answer();
	t.true(bytes(0, 8192).every((byte) => byte === 0x55));
	t.deepEqual(late.ends, [TIMEOUT], 'it has ended once');
	t.deepEqual(submit(READ, 512).ends, [NONE]);
});

test('a write that comes too late is of what was there then, and no other request is tried until it has', (t) => {
	const {submit, memory, faulty, content, share, expire} = make();
	memory.fill(0, 4096, 0x11);
	faulty.fault = ({operation}) => (operation === WRITE ? 'hangs' : undefined);
	const late = submit(WRITE, 512);
	expire();
	t.deepEqual(late.ends, [TIMEOUT]);
	t.is(share.overdue, 1);
	memory.fill(0, 4096, 0x22);
	for (const worker of [0, 1]) {
		for (const operation of [READ, WRITE, FLUSH] as const)
			t.deepEqual(submit(operation, operation === FLUSH ? 0 : 512, {worker}).ends, [TIMEOUT]);
	}
	t.is(faulty.seen.length, 1);
	faulty.fault = () => undefined;
	faulty.answer();
	t.is(share.overdue, 0);
	t.deepEqual(new Set(content.subarray(0, 512)), new Set([0x11]));
	t.deepEqual(submit(WRITE, 512, {worker: 1}).ends, [NONE]);
	t.deepEqual(new Set(content.subarray(0, 512)), new Set([0x22]));
});

test('what a flush or a durable write that was given up says at last, the next flush that ends says, once and on whichever worker', (t) => {
	const {submit, faulty, expire} = make();
	for (const operation of [FLUSH, WRITE] as const) {
		faulty.fault = () => 'hangs';
		const late = submit(operation, operation === FLUSH ? 0 : 512, {isDurable: true});
		expire();
		t.deepEqual(late.ends, [TIMEOUT]);
		faulty.answer(1, IO);
		faulty.fault = () => undefined;
		t.deepEqual(submit(READ, 512).ends, [NONE]);
		t.deepEqual([submit(FLUSH, 0, {worker: 1}).ends, submit(FLUSH, 0).ends], [[IO], [NONE]]);
	}
	faulty.fault = () => 'hangs';
	submit(READ, 512);
	submit(FLUSH, 0);
	expire();
	const next = submit(FLUSH, 0);
	faulty.answer(1, IO);
	faulty.answer();
	t.deepEqual(next.ends, [NONE]);
});

test('each request has its own time, and what is done has none', (t) => {
	const {submit, faulty, expire} = make();
	faulty.fault = () => 'hangs';
	const [one, two] = [submit(READ, 512), submit(READ, 512)];
	expire(7);
	faulty.answer();
	const old = submit(READ, 512);
	expire(5);
	const young = submit(READ, 512);
	expire(4);
	t.deepEqual(
		[one, two, old, young].map(({ends}) => ends),
		[[NONE], [NONE], [TIMEOUT], []],
	);
	faulty.answer();
	t.deepEqual([old.ends, young.ends], [[TIMEOUT], [NONE]]);
});

test('requests that there is no memory for wait, and are overdue as others', (t) => {
	const {submit, faulty, expire} = make();
	faulty.fault = () => 'hangs';
	const all = Array.from({length: 6}, () => submit(READ, 2 ** 22));
	t.is(faulty.seen.length, 4);
	faulty.fault = () => undefined;
	faulty.answer();
	t.deepEqual(
		all.map(({ends}) => ends),
		all.map(() => [NONE]),
	);
	faulty.fault = () => 'hangs';
	const more = Array.from({length: 6}, () => submit(WRITE, 2 ** 22));
	expire();
	t.deepEqual(
		more.map(({ends}) => ends),
		more.map(() => [TIMEOUT]),
	);
	const seen = faulty.seen.length;
	faulty.fault = () => undefined;
	faulty.answer();
	t.is(faulty.seen.length, seen, 'those that waited are not written after they were given up');
	t.deepEqual(submit(WRITE, 2 ** 22).ends, [NONE]);
});

test('a write that waits for memory is not tried behind one that was given up', (t) => {
	const {submit, faulty, content, expire} = make();
	faulty.fault = () => 'hangs';
	const [read, ...others] = [
		submit(READ, 2 ** 22),
		submit(READ, 2 ** 22),
		submit(READ, 2 ** 22),
		submit(WRITE, 2 ** 22),
	];
	expire(6);
	const waits = submit(WRITE, 2 ** 22);
	expire(4);
	t.deepEqual(
		[read, ...others, waits].map((each) => each?.ends),
		[[TIMEOUT], [TIMEOUT], [TIMEOUT], [TIMEOUT], []],
	);
	content.fill(0x33);
	faulty.fault = () => undefined;
	// The reads, whose memory is free then.
	faulty.answer(3);
	t.deepEqual(waits.ends, [TIMEOUT]);
	t.true(content.every((byte) => byte === 0x33));
	faulty.answer();
	t.deepEqual(submit(WRITE, 512).ends, [NONE]);
});

test('a disk that is closed while its host hangs has nothing of the guest’s, and what comes later is nobody’s', async (t) => {
	const {submit, memory, faulty, bytes, workers} = make();
	faulty.fault = () => 'hangs';
	const all = [...Array.from({length: 5}, () => submit(READ, 2 ** 22)), submit(FLUSH, 0)];
	memory.fill(0, 8192, 0x55);
	await workers[0]?.close();
	t.true(all.every(({ends, vectors}) => ends.length === 1 && ends[0] === TIMEOUT && vectors.count === 0));
	faulty.fault = () => undefined;
	faulty.answer();
	t.true(bytes(0, 8192).every((byte) => byte === 0x55));
	t.true(all.every(({ends}) => ends.length === 1));
});

test('a disk comes to no rest while its host has something under way, and nobody waits for that', async (t) => {
	const {submit, faulty, expire, workers} = make();
	faulty.fault = () => 'hangs';
	for (const operation of [READ, WRITE, FLUSH] as const) {
		submit(operation, operation === FLUSH ? 0 : 512);
		expire();
		await t.throwsAsync(async () => workers[0]?.settle(), {code: 'DISK_NOT_ANSWERED'});
		if (operation === WRITE) await t.throwsAsync(async () => workers[1]?.settle(), {code: 'DISK_NOT_ANSWERED'});
		faulty.answer();
		await t.notThrowsAsync(async () => workers[0]?.settle());
	}
});

test('a host that hangs is not asked for ever more, whatever the guest asks for', (t) => {
	const {submit, faulty, expire} = make();
	faulty.fault = () => 'hangs';
	const all = Array.from({length: 20}, () => {
		const flushes = Array.from({length: 32}, () => submit(FLUSH, 0));
		expire();
		return flushes;
	});
	t.true(all.flat().every(({ends}) => ends.length === 1 && ends[0] === TIMEOUT));
	t.is(faulty.hanging, 256);
	t.deepEqual(submit(READ, 512).ends, [TIMEOUT]);
	t.deepEqual(submit(READ, 512, {worker: 1}).ends, [], 'another worker has its own');
	faulty.fault = () => undefined;
	faulty.answer();
	t.deepEqual(submit(FLUSH, 0).ends, [NONE]);
});
