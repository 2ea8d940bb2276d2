import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {createConnection, createServer, type Server, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {endDirection} from '#support/ffi';
import {Operation, Shutdown} from './layout.ts';
import {guestCid, VsockDriver} from './testing/vsock-driver.ts';

const port = 5000;
const request = {operation: Operation.REQUEST};

/** Path of a host's side, gone with the test. */
function pathFor(t: ExecutionContext): string {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-vsock-'));
	t.teardown(() => rmSync(folder, {recursive: true, force: true}));
	return join(folder, 'v.sock');
}

async function startedFor(t: ExecutionContext, transport: 'pci' | 'mmio' = 'pci') {
	const path = pathFor(t);
	const guest = await VsockDriver.start(path, transport);
	t.teardown(() => guest.dispose());
	return {guest, path};
}

/** A server of the host's on a port, and those who have connected to it. */
async function serverOn(t: ExecutionContext, path: string, greeting = '') {
	const clients: Socket[] = [];
	const server: Server = createServer({allowHalfOpen: true}, (socket) => {
		clients.push(socket);
		socket.on('error', () => {});
		socket.write(greeting);
	});
	server.listen(`${path}_${port}`);
	await once(server, 'listening');
	t.teardown(() => {
		for (const client of clients) client.destroy();
		server.close();
	});
	return clients;
}

/** Collects what a socket gets. */
function collected(socket: Socket) {
	const got = {bytes: Buffer.alloc(0), isEnded: false, isClosed: false};
	socket.on('data', (piece) => {
		got.bytes = Buffer.concat([got.bytes, piece]);
	});
	socket.on('end', () => {
		got.isEnded = true;
	});
	socket.on('close', () => {
		got.isClosed = true;
	});
	socket.on('error', () => {});
	return got;
}

/** A connection that the guest has made, and the host's end of it. */
async function connected(t: ExecutionContext, transport: 'pci' | 'mmio' = 'pci') {
	const {guest, path} = await startedFor(t, transport);
	const clients = await serverOn(t, path);
	await guest.send(request);
	const {header} = await guest.next('RESPONSE');
	await guest.until(() => clients.length > 0);
	return {guest, path, header, host: clients[0] as Socket};
}

/** A client of the host's that has asked for the guest's port 80. */
async function clientOf(t: ExecutionContext, {guest, path}: {guest: VsockDriver; path: string}) {
	const client = createConnection({path, allowHalfOpen: true});
	t.teardown(() => client.destroy());
	const got = collected(client);
	client.write('CONNECT 80\nearly');
	const {header} = await guest.next('REQUEST');
	const ports = {sourcePort: 80, targetPort: header.sourcePort};
	return {client, got, header, ports};
}

for (const transport of ['pci', 'mmio'] as const)
	test(`${transport}: a guest connects to a socket of the host's, and both send and end`, async (t) => {
		const {guest, header, host} = await connected(t, transport);
		t.is(guest.machine.registers.readConfig(0, 4), guestCid);
		t.like(header, {sourceCid: 2, targetCid: guestCid, sourcePort: port, targetPort: 1000, type: 1, length: 0});
		t.true(header.bufferBytes > 0);
		const got = collected(host);
		await guest.send({}, 'hello');
		await guest.until(() => got.bytes.length === 5);
		t.is(String(got.bytes), 'hello');
		host.write('welcome');
		const answer = await guest.next('RW');
		t.is(String(answer.payload), 'welcome');
		t.like(answer.header, {length: 7, forwarded: 5});
		host.end();
		t.is((await guest.next('SHUTDOWN')).header.flags, Shutdown.SEND);
		await guest.send({}, 'still');
		await guest.send({operation: Operation.SHUTDOWN, flags: Shutdown.SEND});
		await guest.until(() => got.isEnded);
		t.is(String(got.bytes), 'hellostill');
		await guest.send({operation: Operation.SHUTDOWN, flags: Shutdown.both});
		await guest.next('RST');
		t.is(guest.state('connections'), 0);
		t.deepEqual(guest.machine.failures, []);
	});

test('clients that say nothing keep nobody from being heard: the one that was silent for the longest goes', async (t) => {
	const started = await startedFor(t);
	const silent: ReturnType<typeof collected>[] = [];
	for (let count = 0; count < 65; count++) {
		const client = createConnection({path: started.path, allowHalfOpen: true});
		t.teardown(() => client.destroy());
		silent.push(collected(client));
		await once(client, 'connect');
	}
	await started.guest.until(() => silent[0]?.isEnded === true);
	const {got, ports} = await clientOf(t, started);
	await started.guest.send({...ports, operation: Operation.RESPONSE});
	await started.guest.until(() => got.bytes.length > 0);
	t.regex(String(got.bytes), /^OK /);
	t.deepEqual(
		silent.map(({isEnded}) => isEnded),
		[true, true, ...new Array<boolean>(63).fill(false)],
	);
});

test('a client of the host’s names a port, and gets the stream of it', async (t) => {
	const started = await startedFor(t);
	const {guest} = started;
	const {client, got, ports, header} = await clientOf(t, started);
	t.like(header, {sourceCid: 2, targetPort: 80});
	await guest.send({...ports, operation: Operation.RESPONSE});
	t.is(String((await guest.next('RW')).payload), 'early');
	await guest.send({...ports}, 'answer');
	await guest.until(() => got.bytes.length >= `OK ${header.sourcePort}\nanswer`.length);
	t.is(String(got.bytes), `OK ${header.sourcePort}\nanswer`);
	client.end('last');
	t.is(String((await guest.next('RW')).payload), 'last');
	await guest.next('SHUTDOWN');
	await guest.send({...ports, operation: Operation.RST});
	await guest.until(() => got.isClosed);
	t.is(guest.state('connections'), 0);
});

test('what nobody listens to is refused on both sides, and a line that is none', async (t) => {
	const started = await startedFor(t);
	const {guest, path} = started;
	await guest.send(request);
	t.like((await guest.next('RST')).header, {sourcePort: port, targetPort: 1000, sourceCid: 2});
	const {got, ports} = await clientOf(t, started);
	await guest.send({...ports, operation: Operation.RST});
	await guest.until(() => got.isEnded);
	t.is(got.bytes.length, 0);
	for (const line of ['CONNECT x\n', 'CONNECT 4294967295\n', 'HELLO 80\n', 'CONNECT 80'.padEnd(64)]) {
		const other = createConnection(path);
		const answer = collected(other);
		other.write(line);
		await guest.until(() => answer.isClosed);
		t.is(answer.bytes.length, 0, line);
	}
	t.is(guest.state('connections'), 0);
});

test('a client that goes before the guest has answered is forgotten', async (t) => {
	const started = await startedFor(t);
	const {ports, client} = await clientOf(t, started);
	client.destroy();
	// The line to the guest is what tells that the client has gone, at the latest.
	await started.guest.send({...ports, operation: Operation.RESPONSE});
	await started.guest.next('SHUTDOWN');
	await started.guest.send({...ports, operation: Operation.RST});
	t.is(started.guest.state('connections'), 0);
});

test('the host gets no more than the guest has room for, and asks once for more', async (t) => {
	const {guest, host} = await connected(t);
	await guest.send({operation: Operation.CREDIT_UPDATE, bufferBytes: 10});
	host.write('0123456789abcdef');
	t.is(String((await guest.next('RW')).payload), '0123456789');
	await guest.next('CREDIT_REQUEST');
	for (let turn = 0; turn < 5; turn++) await guest.machine.run();
	t.deepEqual(guest.got, []);
	await guest.send({operation: Operation.CREDIT_UPDATE, bufferBytes: 10, forwarded: 4});
	t.is(String((await guest.next('RW')).payload), 'abcd');
	// Processors of a guest overtake each other: this one is of before.
	await guest.send({operation: Operation.CREDIT_UPDATE, bufferBytes: 1000, forwarded: 2});
	t.is(guest.state('cutOff'), 0);
	await guest.send({operation: Operation.CREDIT_UPDATE, bufferBytes: 10, forwarded: 14});
	t.is(String((await guest.next('RW')).payload), 'ef');
});

test('the guest is told what the host has taken, when it asks and before it has to wait', async (t) => {
	const {guest, host, header} = await connected(t);
	const got = collected(host);
	await guest.send({operation: Operation.CREDIT_REQUEST});
	t.is((await guest.next('CREDIT_UPDATE')).header.forwarded, 0);
	const piece = Buffer.alloc(header.bufferBytes / 8, 1);
	for (let sent = 0; sent < 16; sent++) {
		await guest.send({}, piece);
		await guest.until(() => got.bytes.length === (sent + 1) * piece.length);
	}
	const updates = guest.got.filter((each) => each.header.operation === Operation.CREDIT_UPDATE);
	t.true(updates.length >= 4, `${updates.length}`);
	t.true(updates.length <= 8, `${updates.length}`);
	t.is(guest.state('cutOff'), 0);
});

test('a host that reads nothing holds the guest back, and a guest that sends all the same is cut off', async (t) => {
	const {guest, host, header} = await connected(t);
	host.pause();
	const piece = Buffer.alloc(0x1_0000, 1);
	let isCut = false;
	// The kernel's own buffers take some of it.
	for (let sent = 0; sent < 64 && !isCut; sent++) {
		await guest.send({}, piece);
		isCut = guest.state('cutOff') > 0;
	}
	t.true(isCut);
	t.true(header.bufferBytes < 64 * piece.length);
	await guest.next('RST');
	t.is(guest.state('connections'), 0);
});

test('what the guest has sent before its end reaches a host that reads later', async (t) => {
	const {guest, host, header} = await connected(t);
	host.pause();
	let sent = 0;
	for (let last = -1; sent - last > 0 && sent < 2 ** 21; ) {
		last = sent;
		const updates = guest.got.filter(({header: {operation}}) => operation === Operation.CREDIT_UPDATE);
		const forwarded = Math.max(0, ...updates.map((each) => each.header.forwarded));
		const room = header.bufferBytes - (sent - forwarded);
		const count = Math.min(room, 0x1_0000);
		if (count === 0) break;
		await guest.send({}, Buffer.alloc(count, 1));
		sent += count;
	}
	await guest.send({operation: Operation.SHUTDOWN, flags: Shutdown.both});
	await guest.next('RST');
	const got = collected(host);
	host.resume();
	await guest.until(() => got.isEnded);
	t.is(got.bytes.length, sent);
	t.is(guest.state('cutOff'), 0);
});

test('a guest that lies, or breaks the order of packets, loses that connection and no other', async (t) => {
	const {guest, path, host} = await connected(t);
	const lies = [
		{operation: Operation.RW, length: 1},
		{operation: Operation.RW, length: 2 ** 32 - 1},
		{operation: Operation.CREDIT_UPDATE, forwarded: 1},
		{operation: Operation.CREDIT_UPDATE, forwarded: 2 ** 31 - 1},
		{operation: Operation.RESPONSE},
		{operation: Operation.REQUEST},
		{operation: 0},
		{operation: 8},
		{operation: 0xffff},
	];
	const clients: Socket[] = [];
	const server = createServer((socket) => void clients.push(socket));
	server.listen(`${path}_6000`);
	await once(server, 'listening');
	t.teardown(() => server.close());
	for (const [index, lie] of lies.entries()) {
		const ports = {sourcePort: 2000, targetPort: 6000};
		await guest.send({...ports, ...request});
		await guest.next('RESPONSE');
		await guest.until(() => clients.length === index + 1);
		const got = collected(clients[index] as Socket);
		await guest.send({...ports, ...lie});
		t.like((await guest.next('RST')).header, {sourcePort: 6000, targetPort: 2000}, JSON.stringify(lie));
		await guest.until(() => got.isClosed);
		t.is(guest.state('cutOff'), index + 1);
	}
	host.write('alive');
	t.is(String((await guest.next('RW')).payload), 'alive');
	t.deepEqual(guest.machine.failures, []);
});

test('packets of nobody’s connection are answered with a reset, those of no guest and resets with nothing', async (t) => {
	const {guest} = await startedFor(t);
	await guest.send({operation: Operation.RST});
	await guest.send({sourceCid: guestCid + 1, ...request});
	t.deepEqual(guest.got, []);
	await guest.send({}, 'stray');
	t.like((await guest.next('RST')).header, {sourcePort: port, targetPort: 1000, type: 1});
	await guest.send({...request, type: 2});
	t.like((await guest.next('RST')).header, {type: 2});
	await guest.send({...request, targetCid: 99});
	t.like((await guest.next('RST')).header, {sourceCid: 99});
});

test('a guest that takes no resets is not served until it does', async (t) => {
	const {guest} = await startedFor(t);
	const {driver, machine} = guest;
	machine.registers.write('device_status', 0);
	await machine.run();
	guest.begin(0);
	for (let reset = 0; reset < 256; reset++) await guest.send({}, 'stray');
	// The next one stays in the queue.
	driver.offer([{at: 0xc_0000, length: 45}], {queue: 1});
	await driver.notify(1);
	t.is(driver.used(1).length, 0);
	for (let buffer = 0; buffer < 16; buffer++) guest.offer(buffer);
	await driver.notify(0);
	await guest.until(() => driver.used(1).length === 1);
	t.deepEqual(machine.failures, []);
});

test('a buffer without room for a header gets nothing, and the packet goes into the next', async (t) => {
	const {guest} = await startedFor(t);
	const {driver, machine} = guest;
	machine.registers.write('device_status', 0);
	await machine.run();
	driver.begin([0], 3);
	driver.offer([{at: 0x4_0000, length: 43, writable: true}], {queue: 0, head: 0});
	driver.offer([{at: 0x4_1000, length: 44, writable: true}], {queue: 0, head: 1});
	await guest.send({}, 'stray');
	await machine.run();
	t.deepEqual(driver.used(0), [
		[0, 0],
		[1, 44],
	]);
});

test('there are as many connections as there may be, and later ones are refused', async (t) => {
	const {guest, path} = await startedFor(t);
	const clients = await serverOn(t, path, 'greeting');
	for (let index = 0; index < 1024; index++) {
		// Without room for the greeting nobody looks for more of the host's.
		await guest.send({...request, sourcePort: 2000 + index, bufferBytes: 0});
		await guest.next('RESPONSE');
	}
	t.is(guest.state('connections'), 1024);
	await guest.send({...request, sourcePort: 9000});
	t.is((await guest.next('RST')).header.targetPort, 9000);
	await guest.send({operation: Operation.SHUTDOWN, flags: Shutdown.both, sourcePort: 2000});
	await guest.next('RST');
	await guest.send({...request, sourcePort: 9000});
	// Those that came late have less memory, and some.
	const {bufferBytes} = (await guest.next('RESPONSE')).header;
	t.true(bufferBytes >= 16 * 1024 && bufferBytes < 256 * 1024, `${bufferBytes}`);
	t.is(clients.length, 1025);
});

test('a driver’s reset ends all connections, and the next driver begins anew', async (t) => {
	const {guest, host} = await connected(t);
	const got = collected(host);
	guest.machine.registers.write('device_status', 0);
	await guest.until(() => got.isEnded);
	t.is(guest.state('connections'), 0);
	guest.begin();
	await guest.send(request);
	await guest.next('RESPONSE');
	t.deepEqual(guest.events, []);
});

test('a pause keeps connections and what is under way', async (t) => {
	const {guest, host} = await connected(t);
	await guest.machine.stop();
	host.write('meanwhile');
	await guest.machine.run();
	t.deepEqual(guest.got, []);
	guest.machine.start();
	t.is(String((await guest.next('RW')).payload), 'meanwhile');
	t.deepEqual(guest.events, [], 'no transport has been reset');
});

test('a pause waits for sockets that are being looked for, and the guest hears of them behind it', async (t) => {
	const {guest, path} = await startedFor(t);
	await serverOn(t, path);
	t.true(guest.tried(request));
	t.true(guest.tried({...request, targetPort: 9}));
	await guest.machine.stop();
	const counts = [guest.state('connections'), guest.state('refused')];
	await guest.machine.run();
	t.deepEqual(counts, [1, 1], 'nothing changes behind it');
	t.deepEqual(guest.got, []);
	guest.machine.start();
	const answers = [(await guest.next('RST')).header.sourcePort, (await guest.next('RESPONSE')).header.sourcePort];
	t.deepEqual(answers, [9, port]);
});

/** The guest goes on from a snapshot, on another machine. */
async function movedFrom(t: ExecutionContext, {guest, path}: {guest: VsockDriver; path: string}): Promise<VsockDriver> {
	await guest.machine.stop();
	const saved = guest.machine.machine.save();
	const memory = new Uint8Array(0x10_0000);
	guest.machine.memory.copyOut(0, memory);
	const positions = {positions: new Map([...guest.driver.positions].map(([queue, at]) => [queue, {...at}]))};
	await guest.machine.dispose();
	t.false(existsSync(path), 'its socket has gone');
	const other = await VsockDriver.restored(path, (machine) => {
		machine.memory.copyIn(0, memory);
		machine.machine.restore(saved);
	});
	t.teardown(() => other.dispose());
	other.driver.resume(positions);
	return other;
}

test('a guest that goes on from a snapshot is told that its connections are gone', async (t) => {
	const other = await movedFrom(t, await connected(t));
	await other.until(() => other.events.includes(0));
	await other.send({}, 'of before');
	await other.next('RST');
	await other.send(request);
	await other.next('RESPONSE');
	t.is(other.state('connections'), 1);
});

test('a client of the host’s has to wait until the guest knows that its connections are gone: this one would go with them', async (t) => {
	const before = await startedFor(t);
	const first = await movedFrom(t, before);
	await first.until(() => first.events.includes(0));
	// It has given no other buffer for an event.
	const guest = await movedFrom(t, {...before, guest: first});
	const client = createConnection(before.path);
	t.teardown(() => client.destroy());
	client.write('CONNECT 80\n');
	await guest.until(() => guest.state('connections') === 1);
	await guest.machine.run();
	t.deepEqual(guest.got, []);
	guest.offerEvent();
	await guest.driver.notify(2);
	await guest.next('REQUEST');
	t.deepEqual(guest.events, [0]);
});

/** Has a socket of Node's take nothing any more, which Node has no call for. */
function endReading(socket: Socket): void {
	const {fd} = (socket as unknown as {readonly _handle: {readonly fd: number}})._handle;
	if (endDirection(fd, 'read') < 0) throw new Error('it has not ended');
}

test('a host that takes nothing any more may still send, and the guest is told', async (t) => {
	const {guest, host} = await connected(t);
	host.on('error', () => {});
	host.pause();
	endReading(host);
	await guest.send({}, 'to nobody');
	t.is((await guest.next('SHUTDOWN')).header.flags, Shutdown.RECEIVE);
	host.write('still here');
	t.is(String((await guest.next('RW')).payload), 'still here');
	host.end();
	t.is((await guest.next('SHUTDOWN')).header.flags, Shutdown.both);
});

test('a buffer without room for bytes gets nothing, and keeps nobody from his turn', async (t) => {
	const {guest, path} = await startedFor(t);
	await serverOn(t, path, 'greeting');
	const {driver, machine} = guest;
	machine.registers.write('device_status', 0);
	await machine.run();
	driver.begin([0], 3);
	for (const [head, length] of [0x1000, 44, 45].entries())
		driver.offer([{at: 0x4_0000 + 0x1000 * head, length, writable: true}], {queue: 0, head});
	await guest.send(request);
	const used: unknown[] = [];
	await guest.until(() => used.push(...driver.used(0)) === 3);
	t.deepEqual(used, [
		[0, 44],
		[1, 0],
		[2, 45],
	]);
});

test('a guest that was never told of a client is not told that it has gone', async (t) => {
	const {guest, path} = await startedFor(t);
	const {driver, machine} = guest;
	machine.registers.write('device_status', 0);
	await machine.run();
	guest.begin(0);
	const client = createConnection(path);
	client.write('CONNECT 80\n');
	await guest.until(() => guest.state('connections') === 1);
	client.destroy();
	guest.hangUp();
	t.is(guest.state('connections'), 0);
	for (let buffer = 0; buffer < 4; buffer++) guest.offer(buffer);
	await driver.notify(0);
	await guest.send({}, 'stray');
	t.is((await guest.next('RST')).header.sourcePort, port);
});

test('a guest that gives its requests up at once has no more of them looked for than there may be', async (t) => {
	const {guest} = await startedFor(t);
	let [isTaken, requests] = [true, 0];
	// Nothing of the host's comes between these.
	for (; isTaken && requests < 1000; requests++)
		isTaken = guest.tried(request) && guest.tried({operation: Operation.RST});
	t.false(isTaken);
	await guest.until(() => guest.isTaken);
	t.is(guest.state('connections'), 0);
});
