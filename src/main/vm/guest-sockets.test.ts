import {once} from 'node:events';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {createConnection, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {GuestSockets, type GuestStream} from './guest-sockets.ts';

const never = new Promise<never>(() => {});

/** A machine with a virtio socket device, whose host's side answers so. */
async function socketsFor(t: ExecutionContext, answer: (client: Socket, request: string) => void) {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-sockets-'));
	const path = join(folder, 'v.sock');
	const clients = new Set<Socket>();
	const server = createServer({allowHalfOpen: true}, (client) => {
		clients.add(client);
		client.on('error', () => {});
		client.once('data', (bytes) => answer(client, `${bytes}`));
	});
	server.listen(path);
	await once(server, 'listening');
	t.teardown(() => {
		for (const client of clients) client.destroy();
		server.close();
		rmSync(folder, {recursive: true, force: true});
	});
	const devices = [{placed: {kind: 'virtio-vsock-mmio', config: {cid: 3, path}}}];
	const {promise: ended, resolve: end} = Promise.withResolvers<void>();
	return {sockets: new GuestSockets(() => devices, ended), path, server, end};
}

const textOf = async (stream: AsyncIterable<Uint8Array>) => {
	let text = '';
	for await (const bytes of stream) text += Buffer.from(bytes).toString();
	return text;
};

test('a stream begins behind the answer, and a loop over what it reads leaves the other direction open', async (t) => {
	const heard: string[] = [];
	const {sockets} = await socketsFor(t, (client, request) => {
		heard.push(request);
		client.on('data', (bytes) => void heard.push(`${bytes}`));
		client.end('OK 1073741825\nfirst bytes');
	});
	const stream = await sockets.connect(22);
	t.is(await textOf(stream), 'first bytes');
	await new Promise<void>((resolve, reject) => stream.write('still', (error) => (error ? reject(error) : resolve())));
	stream.end();
	while (heard.length < 2) await new Promise(setImmediate);
	t.deepEqual(heard, ['CONNECT 22\n', 'still']);
});

test('a guest that does not listen, and answers that are none, are told as refusals', async (t) => {
	for (const answer of ['', 'OK\n', 'NO 1\n', `OK ${'1'.repeat(100)}`]) {
		const {sockets} = await socketsFor(t, (client) => void client.end(answer));
		await t.throwsAsync(sockets.connect(22), {code: 'VM_VSOCK_REFUSED', message: /port 22/}, answer);
	}
	// What is unread makes it a reset.
	const {sockets} = await socketsFor(t, (client) => void client.destroy());
	await t.throwsAsync(sockets.connect(22), {code: 'VM_VSOCK_REFUSED'});
});

test('a machine without the device, or whose socket has gone, says so', async (t) => {
	await t.throwsAsync(new GuestSockets(() => [], never).connect(22), {code: 'VM_VSOCK_MISSING'});
	await t.throwsAsync(new GuestSockets(() => [], never).listen(22), {code: 'VM_VSOCK_MISSING'});
	const {sockets, server} = await socketsFor(t, () => {});
	server.close();
	await t.throwsAsync(sockets.connect(22), {code: 'VM_VSOCK_UNREACHABLE', message: /ENOENT/});
});

test('who waits for a guest may give it up', async (t) => {
	const {sockets} = await socketsFor(t, () => {});
	const controller = new AbortController();
	const waiting = sockets.connect(22, {signal: controller.signal});
	setImmediate(() => controller.abort(new Error('enough')));
	await t.throwsAsync(waiting, {message: 'enough'});
	await t.throwsAsync(sockets.connect(22, {signal: controller.signal}), {message: 'enough'});
});

test('connections of the guest come one after the other, until the listener is closed or the loop is left', async (t) => {
	const {sockets, path} = await socketsFor(t, () => {});
	const listener = await sockets.listen(5000);
	const peers = ['one', 'two'].map((text) => {
		const peer = createConnection(`${path}_5000`);
		peer.end(text);
		peer.resume();
		return peer;
	});
	const texts: string[] = [];
	for await (const stream of listener) {
		texts.push(await textOf(stream));
		stream.end('bye');
		if (texts.length === peers.length) break;
	}
	t.deepEqual(texts.sort(), ['one', 'two']);
	const again = await sockets.listen(5000);
	const next = again[Symbol.asyncIterator]().next();
	again.close();
	again.close();
	t.true((await next).done);
	writeFileSync(`${path}_6000`, 'somebody’s');
	await t.throwsAsync(sockets.listen(6000), {code: 'VM_VSOCK_LISTEN_FAILED', message: /EADDRINUSE/});
});

test('a guest that breaks a connection off ends no program that does not hear of errors, and who reads or writes is told', async (t) => {
	const {sockets, path} = await socketsFor(t, () => {});
	const listener = await sockets.listen(5000);
	const peer = createConnection(`${path}_5000`);
	await once(peer, 'connect');
	for await (const stream of listener) {
		peer.destroy();
		await once(peer, 'close');
		const written = await new Promise((resolve) => stream.write('welcome', resolve));
		t.like(written, {code: 'EPIPE'});
		await t.throwsAsync(textOf(stream), {code: 'EPIPE'});
		break;
	}
});

test('a listener ends with its machine, and connections that have come are read to their ends', async (t) => {
	const {sockets, path, end} = await socketsFor(t, () => {});
	const listener = await sockets.listen(5000);
	const peer = createConnection(`${path}_5000`);
	peer.end('last words');
	const iterator = listener[Symbol.asyncIterator]();
	const first = (await iterator.next()).value as GuestStream;
	end();
	t.is(await textOf(first), 'last words');
	first.end();
	t.true((await iterator.next()).done);
	await t.throwsAsync(once(createConnection(`${path}_5000`), 'connect'), {code: 'ENOENT'});
});
