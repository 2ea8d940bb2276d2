import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {connect, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {
	type Endpoint,
	type EndpointKind,
	type EndpointSource,
	type Frame,
	Segmentation,
} from '#devices/network/endpoint';
import {datagramKind, type StreamSource, streamKind} from '#devices/network/socket';
import {isSound, packet, payloadOf, TestNic} from '#devices/network/testing';
import type {ObjectNode} from '#support/inspect';
import {EpollReactor} from '#support/reactor';
import {noProgram} from '#support/rpc';
import {type SwitchSource, switchCommon, switchKind} from './switch-kind.ts';
import {mostClients} from './switch-listener.ts';

const folder = mkdtempSync(join(tmpdir(), 'openvmm-switch-'));
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

/** AVA's own limit is what ends a test in which it never comes. */
async function until(condition: () => boolean): Promise<void> {
	while (!condition()) {
		// The test's clients are Node's.
		reactor.turnNode();
		await new Promise<void>((resolve) => void reactor.after(2e6, resolve));
	}
}

interface End {
	readonly nic: TestNic;
	readonly endpoint: Endpoint;
	/** What is told of it. */
	nodes(): Readonly<Record<string, unknown>>;
}

/** A NIC at an endpoint of a kind. */
async function open<S extends EndpointSource>(t: ExecutionContext, kind: EndpointKind<S>, source: S): Promise<End> {
	const nic = new TestNic();
	const memory = new SharedArrayBuffer(kind.sharedBytes(source));
	const bytes = kind.common?.(source)?.bytes;
	const common = bytes === undefined ? undefined : new SharedArrayBuffer(bytes);
	const host = {reactor, memory, offset: 0, common, program: noProgram, noticed() {}, track: () => {}};
	const endpoint = await kind.open(source, nic, host);
	endpoint.start();
	t.teardown(() => endpoint.dispose());
	return {nic, endpoint, nodes: () => kind.report?.(source, memory, 0).nodes() ?? {}};
}

const openSwitch = (t: ExecutionContext, listen: string): Promise<End> =>
	open<SwitchSource>(t, switchKind, {kind: 'switch', name: 'lan', listen});
/** One that has reached the switch: what it sends before that is lost. */
async function openStream(t: ExecutionContext, path: string): Promise<End> {
	const end = await open<StreamSource>(t, streamKind, {kind: 'stream', path, listens: false});
	await until(() => end.nodes()['connected'] === true);
	return end;
}

/** What is told of who listens, and of each client. */
function listening({nodes}: End) {
	const {wrong, refused, clients} = (nodes()['listen'] as ObjectNode).children() as Readonly<Record<string, unknown>>;
	const each = (clients as ObjectNode).children() as Readonly<Record<string, ObjectNode>>;
	return {
		wrong,
		refused,
		clients: Object.values(each).map((node) => node.children() as Readonly<Record<string, number>>),
	};
}

const everybody = new Uint8Array(6).fill(0xff);
const address = (number: number) => Uint8Array.of(2, 0, 0, 0, 0, number);
const from = (sender: number, to: Uint8Array | number, parts: Parameters<typeof packet>[0] = {}): Frame =>
	packet({from: address(sender), to: typeof to === 'number' ? address(to) : to, ...parts});
const plain = ({bytes, length}: Frame) => Buffer.from(bytes.subarray(0, length));
/** Frames as a stream has them. */
const streamed = (...frames: readonly Frame[]): Buffer =>
	Buffer.concat(
		frames.flatMap((frame) => {
			const prefix = Buffer.alloc(4);
			prefix.writeUInt32BE(frame.length);
			return [prefix, plain(frame)];
		}),
	);

/** Sends one, waiting where there is no room. */
async function send({endpoint, nic}: End, frame: Frame): Promise<void> {
	for (let rooms = nic.rooms; !endpoint.send(frame); rooms = nic.rooms) await until(() => nic.rooms > rooms);
}

const bytesOf = (length: number) => Uint8Array.from({length}, (_, index) => (index * 7) ^ (index >>> 3));

/** Each is known to the others by the address of its number, and reaches one of them or all. */
async function shareLan(t: ExecutionContext, ends: readonly End[]): Promise<void> {
	for (const [sender, end] of ends.entries()) {
		for (const {nic} of ends) nic.received.length = 0;
		await send(end, from(sender, everybody));
		await until(() => ends.every(({nic}) => nic === end.nic || nic.received.length === 1));
	}
	for (const [sender, end] of ends.entries())
		for (const [receiver, {nic}] of ends.entries()) {
			if (sender === receiver) continue;
			for (const each of ends) each.nic.received.length = 0;
			const frame = from(sender, receiver, {payload: bytesOf(1400)});
			await send(end, frame);
			// What goes to all comes behind it, wherever it goes.
			await send(end, from(sender, everybody, {sequence: 7}));
			await until(() => ends.every(({nic: {received}}) => received === end.nic.received || received.length > 0));
			await until(() => nic.received.length === 2);
			t.true(plain(nic.received[0] as Frame).equals(plain(frame)));
			for (const {nic: other} of ends)
				if (other !== nic && other !== end.nic) t.is(other.received.length, 1, `${sender} to ${receiver}`);
		}
}

test('others join a switch by a socket: frames go to whom they are for, and are whole', async (t) => {
	const path = newPath();
	const own = await openSwitch(t, path);
	const ends = [own, await openStream(t, path), await openStream(t, path)];
	await until(() => listening(own).clients.length === 2);
	await shareLan(t, ends);
	t.is((own.nodes() as {connected: number}).connected, 3);
	// What is left to others on a switch is done for who comes by a socket.
	for (const {nic} of ends) nic.received.length = 0;
	const payload = bytesOf(60_000);
	const large = from(0, 1, {payload, partial: true});
	large.segmentation = Segmentation.TCP4;
	large.segmentBytes = 1448;
	await send(own, large);
	await send(own, from(0, 1, {payload: bytesOf(99), partial: true}));
	const {received} = (ends[1] as End).nic;
	await until(() => received.length === Math.ceil(payload.length / 1448) + 1);
	t.true(received.every((frame) => frame.isPlain && isSound(frame)));
	t.deepEqual(Buffer.concat(received.map(payloadOf)), Buffer.concat([payload, bytesOf(99)]));
	// A machine that is paused keeps its clients.
	await own.endpoint.stop();
	await send(ends[2] as End, from(2, 1, {sequence: 11}));
	own.endpoint.start();
	await until(() => received.length === Math.ceil(payload.length / 1448) + 2);
	t.deepEqual(listening(own).wrong, 0);
});

const hasQemu = (() => {
	try {
		return /stream/.test(execFileSync('qemu-system-x86_64', ['-netdev', 'help'], {encoding: 'utf8'}));
	} catch {
		return false;
	}
})();

(hasQemu ? test : test.skip)('two machines and a QEMU are on one switch', async (t) => {
	const [path, local, remote] = [newPath(), newPath(), newPath()];
	const own = await openSwitch(t, path);
	const other = await openStream(t, path);
	const behind = await open(t, datagramKind, {kind: 'dgram', local, remote});
	// A hub of QEMU's is what its guest would be.
	const qemu: ChildProcess = spawn(
		'qemu-system-x86_64',
		[
			...['-machine', 'none', '-nodefaults', '-display', 'none'],
			...['-netdev', `stream,id=a,server=off,addr.type=unix,addr.path=${path}`],
			...['-netdev', `dgram,id=b,local.type=unix,local.path=${remote},remote.type=unix,remote.path=${local}`],
			...['-netdev', 'hubport,id=c,hubid=0,netdev=a', '-netdev', 'hubport,id=d,hubid=0,netdev=b'],
		],
		{stdio: ['ignore', 'ignore', 'pipe']},
	);
	let said = '';
	qemu.stderr?.on('data', (data) => (said += data));
	t.teardown(() => qemu.kill());
	await until(() => listening(own).clients.length === 2 || qemu.exitCode !== null);
	t.is(qemu.exitCode, null, said);
	await shareLan(t, [own, other, behind]);
	qemu.kill();
	await until(() => listening(own).clients.length === 1);
});

/** A client in the test's hands. */
function client(t: ExecutionContext, path: string): Socket {
	const socket = connect(path);
	socket.on('error', () => {});
	t.teardown(() => socket.destroy());
	return socket;
}

test('who sends what is no frame is let go of, and who stops amid one keeps nobody waiting', async (t) => {
	const path = newPath();
	const own = await openSwitch(t, path);
	const other = await openStream(t, path);
	const half = client(t, path);
	half.write(streamed(from(8, everybody)).subarray(0, 30));
	await until(() => listening(own).clients.length === 2);
	for (const [index, prefix] of [
		[0, 0, 0, 0],
		[0, 0, 0, 13],
		[0xff, 0xff, 0xff, 0xff],
		[0, 1, 1, 0],
	].entries()) {
		const peer = client(t, path).resume();
		peer.write(Buffer.concat([streamed(from(9, everybody)), Uint8Array.from(prefix)]));
		await until(() => peer.closed);
		t.is(listening(own).wrong, index + 1);
	}
	await until(() => own.nic.received.length === 4 && other.nic.received.length === 4);
	half.write(streamed(from(8, everybody)).subarray(30));
	await until(() => own.nic.received.length === 5 && other.nic.received.length === 5);
	t.is(listening(own).clients.length, 2);
});

test('a client that does not read loses what is for it, and one that goes amid that leaves nothing', async (t) => {
	const path = newPath();
	const own = await openSwitch(t, path);
	const mute = client(t, path).pause();
	await until(() => listening(own).clients.length === 1);
	const other = await openStream(t, path);
	await until(() => listening(own).clients.length === 2);
	const lost = () => listening(own).clients[0]?.['lostHere'] ?? 0;
	let sent = 0;
	const large = from(0, everybody, {payload: bytesOf(50_000), partial: true});
	large.segmentation = Segmentation.TCP4;
	large.segmentBytes = 1000;
	while ((own.nodes() as {lostThere: number}).lostThere === 0) {
		sent++;
		await send(own, large);
		await until(() => other.nic.received.length === 50 * sent);
	}
	mute.destroy();
	await until(() => listening(own).clients.length === 1);
	t.is(lost(), 0);
	await send(own, large);
	await until(() => other.nic.received.length === 50 * (sent + 1));
	// Whoever has its port then gets what is sent from then on.
	const next = client(t, path);
	const data: Buffer[] = [];
	next.on('data', (bytes) => data.push(bytes));
	await until(() => listening(own).clients.length === 2);
	await send(own, from(0, everybody, {sequence: 5}));
	const expected = streamed(from(0, everybody, {sequence: 5}));
	await until(() => Buffer.concat(data).length >= expected.length);
	t.deepEqual(Buffer.concat(data), expected);
});

test('so many clients are served at once, and others when one of them has gone', async (t) => {
	const path = newPath();
	const own = await openSwitch(t, path);
	const clients: Socket[] = [];
	while (clients.length < mostClients + 4) {
		clients.push(client(t, path).resume());
		await until(() => listening(own).clients.length === Math.min(clients.length, mostClients));
	}
	// It is read once it has a place.
	const waiting = clients.at(-1) as Socket;
	waiting.write(streamed(from(77, everybody)));
	for (const each of clients.slice(0, 4)) each.destroy();
	await until(() => own.nic.received.length === 1);
	t.is(listening(own).clients.length, mostClients);
	for (const each of clients) each.destroy();
	await until(() => listening(own).clients.length === 0);
	t.is(listening(own).refused, 0);
	// All ports are free again: those of NICs, and those of clients.
	const next = await openStream(t, path);
	await until(() => listening(own).clients.length === 1);
	await shareLan(t, [own, next]);
});

test('a client that sends without end has others served meanwhile', async (t) => {
	const path = newPath();
	const own = await openSwitch(t, path);
	const endless = client(t, path).resume();
	const short = streamed(...Array.from({length: 500}, () => from(9, 10)));
	const more = () => {
		while (!endless.destroyed && endless.write(short));
	};
	endless.on('drain', more);
	more();
	const other = await openStream(t, path);
	await until(() => listening(own).clients.length === 2);
	for (let count = 1; count <= 10; count++) {
		await send(other, from(1, everybody, {sequence: count}));
		await until(() => own.nic.received.some(({bytes, view}) => bytes[11] === 1 && view.getUint32(38) === count));
		own.nic.received.length = other.nic.received.length = 0;
	}
	t.is(listening(own).wrong, 0);
});

test('a path that cannot be is told, and the port is given up', async (t) => {
	const source = {kind: 'switch', name: 'lan', listen: join(folder, 'missing', 'socket')} as const;
	const common = new SharedArrayBuffer(switchCommon('lan').bytes);
	const memory = new SharedArrayBuffer(switchKind.sharedBytes(source));
	const host = {reactor, memory, offset: 0, common, program: noProgram, noticed() {}, track: () => {}};
	for (let count = 0; count < 40; count++)
		await t.throwsAsync(async () => switchKind.open(source, new TestNic(), host), {code: 'NETWORK_SOCKET_UNUSABLE'});
});
