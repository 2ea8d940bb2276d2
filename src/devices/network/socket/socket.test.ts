import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {connect, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {type Endpoint, type EndpointHost, Frame, mostFrameBytes} from '#devices/network/endpoint';
import {packet, TestNic} from '#devices/network/testing';
import {EpollReactor} from '#support/reactor';
import {noProgram} from '#support/rpc';
import {SocketCounters} from './counters.ts';
import {type DatagramSource, datagramKind, type StreamSource, streamKind} from './kinds.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-frames-'));
test.after.always(() => rmSync(folder, {recursive: true, force: true}));
let sockets = 0;
const newPath = () => join(folder, `${sockets++}`);

/** A thread's reactor, as device workers have it. */
const reactor = new EpollReactor();
const running = reactor.run();
test.after.always(async () => {
	reactor.close();
	await running;
});

/** Timers of Node's do not count while the thread is the reactor's. */
const sleep = (ms: number) => new Promise<void>((resolve) => void reactor.after(ms * 1e6, resolve));

interface End {
	readonly nic: TestNic;
	readonly endpoint: Endpoint;
	readonly counters: ReturnType<typeof SocketCounters.on>;
}

async function open(source: StreamSource | DatagramSource): Promise<End> {
	const nic = new TestNic();
	const memory = new SharedArrayBuffer(SocketCounters.byteLength);
	const host: EndpointHost = {
		reactor,
		memory,
		offset: 0,
		common: undefined,
		program: noProgram,
		noticed() {},
		track: (promise) => void promise,
	};
	const endpoint = await (source.kind === 'stream'
		? streamKind.open(source, nic, host)
		: datagramKind.open(source, nic, host));
	endpoint.start();
	return {nic, endpoint, counters: SocketCounters.on(memory, 0)};
}

/** AVA's own limit is what ends a test in which it never comes. */
async function until(condition: () => boolean): Promise<void> {
	while (!condition()) await sleep(2);
}

const frame = (number: number, length = 200): Frame =>
	packet({sequence: number, payload: new Uint8Array(length).fill(number)});
const plain = ({bytes, length}: Frame) => Buffer.from(bytes.subarray(0, length));

/** Sends all, waiting where there is no room. */
async function sendAll({endpoint, nic}: End, frames: readonly Frame[]): Promise<void> {
	for (const each of frames) {
		let rooms = nic.rooms;
		while (!endpoint.send(each)) {
			const before = rooms;
			await until(() => nic.rooms > before);
			rooms = nic.rooms;
		}
	}
}

const many = Array.from({length: 500}, (_, index) => frame(index % 256, (index * 131) % 9000));

test('two machines by a stream: every frame, whole and in order, in both directions', async (t) => {
	const path = newPath();
	const late = await open({kind: 'stream', path, listens: false});
	await until(() => late.counters.errno !== 0);
	t.true(late.endpoint.send(frame(1)), 'nobody is there yet');
	t.is(late.counters.lost, 1);
	const listener = await open({kind: 'stream', path, listens: true});
	await until(() => late.counters.connected === 1 && listener.counters.connected === 1);
	t.deepEqual(
		[late.nic.carriers, listener.nic.carriers],
		[
			[false, true],
			[false, true],
		],
	);
	await Promise.all([sendAll(late, many), sendAll(listener, many)]);
	for (const {nic} of [late, listener]) {
		await until(() => nic.received.length === many.length);
		t.true(nic.received.every((each, index) => plain(each).equals(plain(many[index] as Frame))));
	}
	await listener.endpoint.dispose();
	await until(() => late.counters.connected === 0);
	t.is(late.nic.carriers.at(-1), false);
	const again = await open({kind: 'stream', path, listens: true});
	await until(() => again.counters.connected === 1 && late.counters.connected === 1);
	await sendAll(again, [frame(7)]);
	await until(() => late.nic.received.length === many.length + 1);
	for (const {endpoint} of [again, late]) await endpoint.dispose();
});

test('a guest without room keeps what comes in the socket, and its sender waits', async (t) => {
	const path = newPath();
	const taker = await open({kind: 'stream', path, listens: true});
	const sender = await open({kind: 'stream', path, listens: false});
	await until(() => taker.counters.connected === 1 && sender.counters.connected === 1);
	taker.nic.most = 10;
	const large = Array.from({length: 200}, (_, index) => frame(index, 9000));
	const sending = sendAll(sender, large);
	let isSent = false;
	void sending.then(() => {
		isSent = true;
	});
	await until(() => taker.nic.received.length === 10);
	await sleep(50);
	t.deepEqual([isSent, taker.nic.received.length], [false, 10]);
	taker.nic.most = Number.POSITIVE_INFINITY;
	taker.endpoint.room();
	await sending;
	await until(() => taker.nic.received.length >= large.length);
	for (const {endpoint} of [taker, sender]) await endpoint.dispose();
});

test('who sends what is no frame is let go of, and the next one is served', async (t) => {
	const path = newPath();
	const listener = await open({kind: 'stream', path, listens: true});
	for (const prefix of [
		[0, 0, 0, 0],
		[0, 0, 0, 13],
		[0xff, 0xff, 0xff, 0xff],
		[0, 1, 1, 0],
	]) {
		const peer = connect(path);
		peer.on('error', () => {}).resume();
		peer.write(Uint8Array.from(prefix));
		await until(() => peer.closed);
	}
	t.is(listener.counters.wrong, 4);
	const peer = connect(path);
	const bytes = plain(frame(3));
	// A frame in pieces, and another one right behind it.
	const prefix = Buffer.alloc(4);
	prefix.writeUInt32BE(bytes.length);
	for (const byte of Buffer.concat([prefix, bytes, prefix]).subarray(0, 12)) {
		peer.write(Uint8Array.of(byte));
		await sleep(1);
	}
	peer.write(Buffer.concat([prefix, bytes, prefix, bytes]).subarray(12));
	await until(() => listener.nic.received.length === 2);
	t.true(listener.nic.received.every((each) => plain(each).equals(bytes)));
	peer.destroy();
	await listener.endpoint.dispose();
});

test('a frame of which a peer that goes has a part alone is counted as lost, and the next one gets nothing of it', async (t) => {
	const path = newPath();
	const listener = await open({kind: 'stream', path, listens: true});
	const peer = connect(path);
	peer.pause();
	await until(() => listener.counters.connected === 1);
	const long = frame(1, 60_000);
	while (listener.endpoint.send(long));
	peer.destroy();
	await until(() => listener.counters.connected === 0);
	t.deepEqual([listener.counters.lost, listener.nic.rooms], [1, 1]);
	const next = connect(path);
	const data: Buffer[] = [];
	next.on('data', (bytes) => data.push(bytes));
	await until(() => listener.counters.connected === 1);
	await sendAll(listener, [frame(2)]);
	await until(() => Buffer.concat(data).length >= 4 + frame(2).length);
	t.true(
		Buffer.concat(data)
			.subarray(4)
			.equals(plain(frame(2))),
	);
	next.destroy();
	await listener.endpoint.dispose();
});

test('a stream is written as QEMU has it', async (t) => {
	const path = newPath();
	const peers: Socket[] = [];
	const server = createServer((socket) => peers.push(socket)).listen(path);
	const sender = await open({kind: 'stream', path, listens: false});
	await until(() => sender.counters.connected === 1 && peers.length === 1);
	await sendAll(sender, [frame(5)]);
	const [data] = (await new Promise((resolve) => peers[0]?.once('data', (...got) => resolve(got)))) as [Buffer];
	t.is(data.readUInt32BE(0), frame(5).length);
	t.true(data.subarray(4).equals(plain(frame(5))));
	t.is(sender.nic.rooms, 0, 'no frame was refused');
	await sender.endpoint.dispose();
	server.close();
});

test('a host without a descriptor for who comes has its thread sleep until it is tried again', async (t) => {
	const path = newPath();
	const script = `
		import {openSync, closeSync} from 'node:fs';
		import {streamKind} from ${JSON.stringify(new URL('kinds.ts', import.meta.url).href)};
		import {TestNic} from '#devices/network/testing';
		import {EpollReactor} from '#support/reactor';
		const reactor = new EpollReactor();
		const running = reactor.run();
		let calls = 0;
		const counting = {
			watch: (fd, interest, ready) => reactor.watch(fd, interest, (state) => { calls++; ready(state); }),
			after: (delay, expired) => reactor.after(delay, expired),
			defer: (action) => reactor.defer(action),
		};
		const sleep = (ms) => new Promise((resolve) => void reactor.after(ms * 1e6, resolve));
		const nic = new TestNic();
		const host = {reactor: counting, memory: new SharedArrayBuffer(64), offset: 0, common: undefined, track() {}};
		const endpoint = await streamKind.open({kind: 'stream', path: ${JSON.stringify(path)}, listens: true}, nic, host);
		const taken = [];
		for (;;) try { taken.push(openSync('/dev/null')); } catch { break; }
		endpoint.start();
		process.stdout.write('ready');
		while (calls === 0) await sleep(1);
		await sleep(200);
		const [before] = [calls];
		for (const fd of taken) closeSync(fd);
		while (nic.carriers.at(-1) !== true) await sleep(1);
		process.stdout.write(' ' + before);
		await endpoint.dispose();
		reactor.close();
		await running;
	`;
	const limited = 'ulimit -n 100; exec "$0" --import=tsx --input-type=module -e "$1"';
	const child = spawn('bash', ['-c', limited, process.execPath, script], {stdio: ['ignore', 'pipe', 'inherit']});
	let said = '';
	child.stdout?.on('data', (data) => (said += data));
	await until(() => said === 'ready' || child.exitCode !== null);
	const peer = connect(path);
	await until(() => child.exitCode !== null);
	peer.destroy();
	t.regex(said, /^ready \d+$/);
	// One that does not sleep is there thousands of times.
	t.true(Number(said.split(' ')[1]) < 20, said);
});

test('two machines by datagrams, one of which comes later', async (t) => {
	const [a, b] = [newPath(), newPath()];
	const first = await open({kind: 'dgram', local: a, remote: b});
	t.true(first.endpoint.send(frame(1)));
	t.is(first.counters.lost, 1);
	const second = await open({kind: 'dgram', local: b, remote: a});
	await Promise.all([sendAll(first, many), sendAll(second, many)]);
	for (const {nic} of [first, second]) {
		await until(() => nic.received.length === many.length);
		t.true(nic.received.every((each, index) => plain(each).equals(plain(many[index] as Frame))));
	}
	second.nic.most = 0;
	await sendAll(first, [frame(1)]);
	await sleep(20);
	second.nic.most = Number.POSITIVE_INFINITY;
	second.endpoint.room();
	await until(() => second.nic.received.length === many.length + 1);
	for (const {endpoint} of [first, second]) await endpoint.dispose();
});

test('a datagram that is longer than any frame is none, and nothing of it passes', async (t) => {
	const [a, b] = [newPath(), newPath()];
	const first = await open({kind: 'dgram', local: a, remote: b});
	const second = await open({kind: 'dgram', local: b, remote: a});
	for (const length of [mostFrameBytes + 1, mostFrameBytes + 5000, mostFrameBytes]) {
		const long = new Frame(length);
		long.become(length);
		await sendAll(first, [long]);
	}
	await until(() => second.nic.received.some(({length}) => length === mostFrameBytes));
	t.deepEqual([second.counters.wrong, second.nic.received.length], [2, 1]);
	for (const {endpoint} of [first, second]) await endpoint.dispose();
});

const hasQemu = (() => {
	try {
		return /netdev.*stream|stream/.test(execFileSync('qemu-system-x86_64', ['-netdev', 'help'], {encoding: 'utf8'}));
	} catch {
		return false;
	}
})();

(hasQemu ? test : test.skip)('QEMU takes frames by a stream and by datagrams, and gives them', async (t) => {
	const [streamPath, local, remote] = [newPath(), newPath(), newPath()];
	const stream = await open({kind: 'stream', path: streamPath, listens: true});
	const datagrams = await open({kind: 'dgram', local, remote});
	// A hub of QEMU's passes on to the one what comes by the other.
	const qemu: ChildProcess = spawn(
		'qemu-system-x86_64',
		[
			...['-machine', 'none', '-nodefaults', '-display', 'none'],
			...['-netdev', `stream,id=a,server=off,addr.type=unix,addr.path=${streamPath}`],
			...['-netdev', `dgram,id=b,local.type=unix,local.path=${remote},remote.type=unix,remote.path=${local}`],
			...['-netdev', 'hubport,id=c,hubid=0,netdev=a', '-netdev', 'hubport,id=d,hubid=0,netdev=b'],
		],
		{stdio: ['ignore', 'ignore', 'pipe']},
	);
	let said = '';
	qemu.stderr?.on('data', (data) => (said += data));
	try {
		await until(() => stream.counters.connected === 1 || qemu.exitCode !== null);
		t.is(qemu.exitCode, null, said);
		const some = many.slice(0, 20);
		for (const [from, to] of [
			[stream, datagrams],
			[datagrams, stream],
		] as const)
			for (const each of some) {
				const before = to.nic.received.length;
				await sendAll(from, [each]);
				await until(() => to.nic.received.length > before);
				t.true(plain(to.nic.received.at(-1) as Frame).equals(plain(each)));
			}
	} finally {
		qemu.kill();
		for (const {endpoint} of [stream, datagrams]) await endpoint.dispose();
	}
});

test('a path that cannot be is told', async (t) => {
	const path = join(folder, 'missing', 'socket');
	await t.throwsAsync(open({kind: 'stream', path, listens: true}), {code: 'NETWORK_SOCKET_UNUSABLE'});
	await t.throwsAsync(open({kind: 'dgram', local: path, remote: path}), {code: 'NETWORK_SOCKET_UNUSABLE'});
});
