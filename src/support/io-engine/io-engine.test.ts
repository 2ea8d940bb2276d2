import {execFileSync} from 'node:child_process';
import {once} from 'node:events';
import {
	closeSync,
	constants,
	mkdtempSync,
	openSync,
	readFileSync,
	readSync,
	rmSync,
	statSync,
	writeFileSync,
	writeSync,
} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Worker} from 'node:worker_threads';
import test, {type ExecutionContext} from 'ava';
import {
	addressOf,
	close,
	Errno,
	eventfd,
	Fallocate,
	RWF_DSYNC,
	readableInPool,
	readCached,
	signalEventfd,
} from '#support/ffi';
import {EpollReactor, type Reactor} from '#support/reactor';
import {engineNames, FileAction, FileOperation, type IoEngine, openIoEngine, sharePoolCalls} from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'openvmm-io-engine-'));
test.after.always(() => rmSync(directory, {recursive: true}));

/** An operation over a buffer of its own, as a promise. */
class Call extends FileOperation {
	readonly bytes: Uint8Array;
	readonly #structs: BigUint64Array;
	#resolve: (result: number) => void = () => {};

	constructor(bytes = Buffer.alloc(0)) {
		super();
		this.bytes = bytes;
		// Off V8's heap, on which it could be moved.
		this.#structs = new BigUint64Array(new ArrayBuffer(4096), 0, 2);
		this.#structs.set([addressOf(bytes), BigInt(bytes.length)]);
		this.vectors = Number(addressOf(this.#structs));
		this.count = 1;
	}

	do(engine: IoEngine, values: Partial<FileOperation>): Promise<number> {
		Object.assign(this, values);
		const {promise, resolve} = Promise.withResolvers<number>();
		this.#resolve = resolve;
		engine.submit(this);
		return promise;
	}

	override completed(result: number): void {
		this.#resolve(result);
	}
}

const block = 512;
const content = (seed: number, length = block) =>
	Buffer.from(Uint8Array.from({length}, (_, i) => (i * 7 + seed) & 0xff));

for (const name of engineNames) {
	/** A test with an engine of this name, whose reactor runs meanwhile, and a file. */
	const engineTest = (
		title: string,
		body: (t: ExecutionContext, engine: IoEngine, file: {fd: number; path: string}) => Promise<void>,
	) =>
		test(`${name}: ${title}`, async (t) => {
			const reactor = new EpollReactor();
			const engine = openIoEngine(reactor, name);
			const path = join(directory, `${name}-${title.replaceAll(/\W/g, '-')}`);
			const fd = openSync(path, 'w+');
			const running = reactor.run();
			try {
				await body(t, engine, {fd, path});
				await engine.close();
			} finally {
				reactor.close();
				await running;
				closeSync(fd);
			}
		});

	engineTest(
		'more operations than the kernel takes at once all complete, each with its own data',
		async (t, engine, {fd, path}) => {
			const count = 700;
			const write = (i: number) =>
				new Call(content(i)).do(engine, {
					action: FileAction.WRITE,
					fd,
					offset: i * block,
					flags: i % 50 === 0 ? RWF_DSYNC : 0,
				});
			const written = Array.from({length: count}, (_, i) => write(i));
			t.is(engine.inFlight, count);
			t.deepEqual(new Set(await Promise.all(written)), new Set([block]));
			t.is(engine.inFlight, 0);
			t.deepEqual(readFileSync(path), Buffer.concat(Array.from({length: count}, (_, i) => content(i))));
			const read = Array.from({length: count}, () => new Call(Buffer.alloc(block)));
			const at = (i: number, isCached: boolean) => ({action: FileAction.READ, fd, offset: i * block, isCached});
			await Promise.all(read.map((call, i) => call.do(engine, at(i, i % 2 === 0))));
			t.true(read.every(({bytes}, i) => content(i).equals(bytes)));
			// One after the other, too, where no call is for several.
			for (const [i, call] of read.slice(0, 20).entries()) t.is(await call.do(engine, at(count - 1 - i, true)), block);
			t.true(read.slice(0, 20).every(({bytes}, i) => content(count - 1 - i).equals(bytes)));
		},
	);

	engineTest(
		'places beyond 4 GiB are reached, and what is there is synced and punched out',
		async (t, engine, {fd, path}) => {
			const offset = 5 * 2 ** 30;
			const call = new Call(content(3, 0x3000));
			t.is(await call.do(engine, {action: FileAction.WRITE, fd, offset}), 0x3000);
			t.is(statSync(path).size, offset + 0x3000);
			t.is(await call.do(engine, {action: FileAction.SYNC, fd}), 0);
			const flags = Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE;
			t.is(await call.do(engine, {action: FileAction.ALLOCATE, fd, offset: offset + 0x1000, length: 0x1000, flags}), 0);
			const read = new Call(Buffer.alloc(0x3000));
			t.is(await read.do(engine, {action: FileAction.READ, fd, offset, flags: 0}), 0x3000);
			const expected = content(3, 0x3000).fill(0, 0x1000, 0x2000);
			t.true(expected.equals(read.bytes));
		},
	);

	engineTest('what the kernel refuses is its error, and a file ends where it ends', async (t, engine, {fd, path}) => {
		writeFileSync(path, content(0, 100));
		const readOnly = openSync(path, 'r');
		const call = new Call(Buffer.alloc(block));
		for (const isCached of [false, true]) {
			t.is(await call.do(engine, {action: FileAction.READ, fd, offset: 0, isCached}), 100);
			t.is(await call.do(engine, {action: FileAction.READ, fd, offset: 100, isCached}), 0);
		}
		t.is(await call.do(engine, {action: FileAction.WRITE, fd: readOnly, offset: 0}), -Errno.EBADF);
		closeSync(readOnly);
		t.is(await call.do(engine, {action: FileAction.READ, fd: 1_000_000}), -Errno.EBADF);
		t.is(await call.do(engine, {action: FileAction.SYNC, fd: 1_000_000}), -Errno.EBADF);
		t.is(await call.do(engine, {action: FileAction.ALLOCATE, fd, length: 0, flags: 0}), -Errno.EINVAL);
		t.is(await call.do(engine, {action: FileAction.READ, fd, vectors: 16}), -Errno.EFAULT);
	});

	test(`${name}: reads that are each asked for by the end of the one before leave the thread to others, and closing waits for all`, async (t) => {
		const reactor = new EpollReactor();
		let isGone = false;
		/** The turns of a device, which has none any more when it has gone. */
		const own: Reactor = {
			watch: (...words) => reactor.watch(...words),
			after: (...words) => reactor.after(...words),
			turnNode: () => reactor.turnNode(),
			defer: (action) =>
				reactor.defer(() => {
					if (!isGone) action();
				}),
		};
		const engine = openIoEngine(own, name);
		const path = join(directory, `${name}-again`);
		writeFileSync(path, content(7));
		const fd = openSync(path, 'r');
		const running = reactor.run();
		/** A request of so many parts. */
		class Parts extends Call {
			left: number;
			readonly ended = Promise.withResolvers<void>();

			constructor(count: number) {
				super(Buffer.alloc(block));
				this.left = count;
			}

			override completed(result: number): void {
				if (result === block && --this.left > 0) engine.submit(this);
				else this.ended.resolve();
			}
		}
		const first = new Parts(1000);
		void first.do(engine, {action: FileAction.READ, fd, isCached: true});
		const before = reactor.state.turns;
		await first.ended.promise;
		t.is(first.left, 0);
		t.true(reactor.state.turns - before > 100);
		// No stack has room for so many calls within each other, and nobody waits for an event before each.
		const last = new Parts(5000);
		void last.do(engine, {action: FileAction.READ, fd, isCached: true});
		isGone = true;
		await engine.close();
		t.is(last.left, 0);
		reactor.close();
		await running;
		closeSync(fd);
	});

	engineTest('a full device is an error of the write', async (t, engine) => {
		const full = openSync('/dev/full', 'w');
		t.is(await new Call(content(0)).do(engine, {action: FileAction.WRITE, fd: full}), -Errno.ENOSPC);
		closeSync(full);
	});
}

test.serial('threads: what the page cache has is read though all threads of the pool are taken', async (t) => {
	const reactor = new EpollReactor();
	const engine = openIoEngine(reactor, 'threads');
	const running = reactor.run();
	const path = join(directory, 'cached');
	writeFileSync(path, content(5));
	const fd = openSync(path, 'r');
	const call = new Call(Buffer.alloc(block));
	const mayAsk = readCached(fd, call.vectors, call.count, 0) !== -Errno.EOPNOTSUPP;
	if (!mayAsk) t.log('The file system of temporary files does not say what is in the page cache');
	call.bytes.fill(0);
	const end = eventfd();
	const taken = Array.from({length: Number(process.env['UV_THREADPOOL_SIZE'] ?? 4)}, () => readableInPool(end, -1));
	let isRead = false;
	const reading = call.do(engine, {action: FileAction.READ, fd, isCached: true}).then((length) => {
		isRead = true;
		return length;
	});
	for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => void reactor.after(0, resolve));
	t.is(isRead, mayAsk);
	signalEventfd(end);
	await Promise.all(taken);
	t.is(await reading, block);
	t.true(content(5).equals(call.bytes));
	await engine.close();
	reactor.close();
	await running;
	closeSync(fd);
	close(end);
});

/** A pipe with no room: a write of {@link waiting} keeps a thread until somebody reads. */
function fullPipe(name: string) {
	const path = join(directory, name);
	execFileSync('mkfifo', [path]);
	const reader = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
	try {
		for (;;) writeSync(reader, Buffer.alloc(4096));
	} catch {
		// EAGAIN.
	}
	const fd = openSync(path, 'r+');
	return {fd, free: () => readSync(reader, Buffer.alloc(3 * 4096))};
}

/** A write at the file's own place, which pwritev2(2) alone knows. */
const waiting = {action: FileAction.WRITE, offset: -1, flags: RWF_DSYNC} as const;

test.serial('threads: files that hang leave threads to other files, and always one to what is no file', async (t) => {
	const reactor = new EpollReactor();
	const running = reactor.run();
	const path = join(directory, 'beside-hanging');
	writeFileSync(path, content(5));
	const fd = openSync(path, 'r');
	const hanging: {free(): number; done: Promise<readonly number[]>; engine: IoEngine}[] = [];
	const hang = () => {
		const [engine, {fd: full, free}] = [openIoEngine(reactor, 'threads'), fullPipe(`full-${hanging.length}`)];
		const calls = Array.from({length: 3}, () => new Call(content(1)).do(engine, {...waiting, fd: full}));
		hanging.push({engine, free, done: Promise.all(calls)});
	};
	const engine = openIoEngine(reactor, 'threads');
	const read = () => new Call(Buffer.alloc(block)).do(engine, {action: FileAction.READ, fd});
	// Of four threads.
	hang();
	t.is(await read(), block);
	hang();
	t.is(await read(), block);
	hang();
	const last = read();
	// By the pool's last thread.
	t.deepEqual(await readFile(path), content(5));
	t.deepEqual(
		hanging.map((each) => each.engine.inFlight),
		[3, 3, 3],
	);
	t.is(engine.inFlight, 1);
	hanging[1]?.free();
	t.is(await last, block);
	for (const {free} of hanging) free();
	for (const {engine: each, done} of hanging) {
		t.deepEqual(await done, [block, block, block]);
		await each.close();
	}
	await engine.close();
	reactor.close();
	await running;
	closeSync(fd);
});

test.serial('threads: calls of other threads of the process count', async (t) => {
	sharePoolCalls();
	const taker = `
		const {getEnvironmentData, parentPort} = require('node:worker_threads');
		const words = new Int32Array(getEnvironmentData('openvmm: calls in the pool'));
		Atomics.add(words, 0, 3);
		parentPort.once('message', () => {
			Atomics.sub(words, 0, 3);
			Atomics.notify(words, 0);
		});
		parentPort.postMessage('taken');
	`;
	const worker = new Worker(taker, {eval: true});
	await once(worker, 'message');
	const reactor = new EpollReactor();
	const running = reactor.run();
	const engine = openIoEngine(reactor, 'threads');
	const path = join(directory, 'counted');
	writeFileSync(path, content(5));
	const fd = openSync(path, 'r');
	const reading = new Call(Buffer.alloc(block)).do(engine, {action: FileAction.READ, fd});
	let isClosed = false;
	const closing = engine.close().then(() => {
		isClosed = true;
	});
	// Through the pool, which would have read it by then.
	for (let turn = 0; turn < 20; turn++) await readFile(path);
	t.deepEqual([engine.inFlight, isClosed], [1, false]);
	worker.postMessage('give back');
	t.is(await reading, block);
	await closing;
	await worker.terminate();
	reactor.close();
	await running;
	closeSync(fd);
});

test('io_uring: an operation that waits holds up no other, and closing waits for it', async (t) => {
	const reactor = new EpollReactor();
	const engine = openIoEngine(reactor, 'io_uring');
	const running = reactor.run();
	// A pipe that nobody writes to yet; -1 is its own place.
	const path = join(directory, 'pipe');
	execFileSync('mkfifo', [path]);
	const pipe = openSync(path, 'r+');
	let [isRead, isClosed] = [false, false];
	const reading = new Call(Buffer.alloc(4))
		.do(engine, {action: FileAction.READ, fd: pipe, offset: -1})
		.then((length) => {
			isRead = true;
			return length;
		});
	const full = openSync('/dev/full', 'w');
	for (let i = 0; i < 300; i++) await new Call(content(1)).do(engine, {action: FileAction.WRITE, fd: full});
	t.deepEqual([isRead, engine.inFlight], [false, 1]);
	const closing = engine.close().then(() => {
		isClosed = true;
	});
	await new Promise((resolve) => setTimeout(resolve, 10));
	t.false(isClosed);
	writeFileSync(path, 'late');
	t.is(await reading, 4);
	await closing;
	reactor.close();
	await running;
	closeSync(pipe);
	closeSync(full);
});

/** Words of `struct seccomp_data` and what is in them: io_uring_setup(2), and io_uring_enter(2) as we call it and Node's own loop does not. */
const setup = [[0, 425]] as const;
const enter = [
	[0, 426],
	[40, 0],
] as const;

/** Runs a module in a process whose kernel denies a system call with an errno, as containers' do by seccomp(2). */
function whereDenied(call: readonly (readonly [number, number])[], errno: number, source: string): string {
	// Each word is loaded and compared, and the errno or permission is returned (linux/filter.h).
	const compared = call.flatMap(([offset, value], i) => [
		0x20,
		offset,
		0x15 + (2 * (call.length - i) - 1) * 2 ** 24,
		value,
	]);
	const words = [...compared, 0x06, 0x5_0000 + errno, 0x06, 0x7fff_0000];
	const deny = `
		import {addressOf} from '#support/ffi';
		import {libc} from './src/support/ffi/libc.ts';
		const control = libc('int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)');
		const filter = new Uint32Array(new ArrayBuffer(4096));
		filter.set([${words.join()}]);
		const program = new BigUint64Array(new ArrayBuffer(4096), 0, 2);
		program.set([${words.length / 2}n, addressOf(filter)]);
		if (control(38, 1, 0, 0, 0) !== 0 || control(22, 2, addressOf(program), 0, 0) !== 0) throw new Error('no filter');
	`;
	const args = ['--import=tsx', '--input-type=module', '--eval', `${deny}\n${source}`];
	const cwd = join(import.meta.dirname, '../../..');
	return execFileSync(process.execPath, args, {encoding: 'utf8', cwd});
}

for (const name of ['EPERM', 'ENOSYS'] as const) {
	test(`a host that denies io_uring with ${name} has threads do the I/O, unless io_uring is asked for`, (t) => {
		const told = whereDenied(
			setup,
			Errno[name],
			`
			import {openSync, readdirSync, writeSync} from 'node:fs';
			import {EpollReactor} from '#support/reactor';
			import {FileAction, FileOperation, openIoEngine} from '#support/io-engine';
			const reactor = new EpollReactor();
			const running = reactor.run();
			const before = readdirSync('/proc/self/fd').length;
			const engine = openIoEngine(reactor);
			let code;
			try { openIoEngine(reactor, 'io_uring'); } catch (error) { code = [error.code, error.message]; }
			const open = readdirSync('/proc/self/fd').length - before;
			const bytes = Buffer.from('data');
			const vector = new BigUint64Array(new ArrayBuffer(4096), 0, 2);
			vector.set([addressOf(bytes), 4n]);
			const result = await new Promise((resolve) => {
				class Call extends FileOperation { completed = resolve; }
				const values = {action: FileAction.WRITE, fd: openSync('/dev/null', 'w'), vectors: Number(addressOf(vector)), count: 1};
				engine.submit(Object.assign(new Call(), values));
			});
			await engine.close();
			reactor.close();
			await running;
			console.log(JSON.stringify({name: engine.name, code, open, result}));
			`,
		);
		t.like(JSON.parse(told), {name: 'threads', open: 0, result: 4});
		const {code} = JSON.parse(told) as {code: [string, string]};
		t.is(code[0], 'IO_URING_UNAVAILABLE');
		t.regex(code[1], new RegExp(name));
	});
}

test('a kernel that takes no operations is asked again by one timer, however many wait', (t) => {
	const told = whereDenied(
		enter,
		Errno.EAGAIN,
		`
		import {EpollReactor} from '#support/reactor';
		import {FileOperation, openIoEngine} from '#support/io-engine';
		const reactor = new EpollReactor();
		void reactor.run();
		const after = reactor.after.bind(reactor);
		let [armed, most, expired] = [0, 0, 0];
		reactor.after = (ns, action) => {
			most = Math.max(most, ++armed);
			return after(ns, () => { armed--; expired++; action(); });
		};
		const engine = openIoEngine(reactor, 'io_uring');
		class Call extends FileOperation { completed() {} }
		const wait = (ns) => new Promise((resolve) => after(ns, resolve));
		for (let count = 0; count < 20; count++) {
			engine.submit(new Call());
			await wait(0);
		}
		while (expired < 3) await wait(1e6);
		console.log(JSON.stringify({most, inFlight: engine.inFlight}));
		process.exit(0);
		`,
	);
	t.deepEqual(JSON.parse(told), {most: 1, inFlight: 20});
});
