import {subscribe, unsubscribe} from 'node:diagnostics_channel';
import {existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync} from 'node:fs';
import {connect, createServer, type Socket} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import type {Machine} from '#main/operations';
import {inspectTree, leaf, object, updateTree} from '#support/inspect';
import {entryDirectory, makeEntryDirectory} from './entry-directory.ts';
import {ControlClient, type ControlOptions, serveControl} from './index.ts';
import {maxClients, maxRequestBytes, maxWaiting} from './protocol.ts';

const base = mkdtempSync(join(tmpdir(), 'openvmm-control-'));
test.after.always(() => rmSync(base, {recursive: true}));
// Servers and clients do not keep the process; a machine's threads would.
const alive = setInterval(() => {}, 1000);
test.after.always(() => clearInterval(alive));

/** A machine that notes what it is asked. */
function machine(changes: Partial<Machine> = {}) {
	const calls: string[] = [];
	const settings = {level: 'warn'};
	const writer = {
		expected: 'a level',
		write: (text: string) => {
			settings.level = text;
			return text === 'info';
		},
	};
	const tree = object(() => ({
		vm: object(() => ({state: 'running', key: leaf(() => 1n, {sensitive: true})})),
		log: leaf(() => settings.level, {writer}),
		large: 'x'.repeat(4 * 2 ** 20),
	}));
	const call = (name: string) => async () => void calls.push(name);
	const target: Partial<Machine> = {
		state: 'running',
		inspect: (path = '', options) => inspectTree(tree, path, options),
		update: (path, text) => updateTree(tree, path, text),
		pause: call('pause'),
		resume: async ({clock} = {}) => void calls.push(clock === undefined ? 'resume' : `resume ${clock}`),
		reset: call('reset'),
		nmi: call('nmi'),
		powerButton: call('power-button'),
		saveSnapshot: async (path) => void calls.push(`save ${path}`),
		dumpCore: async (path) => void calls.push(`dump ${path}`),
		async addDisk(controller, disk) {
			calls.push(`add ${JSON.stringify(disk)} to ${controller}`);
			return 3;
		},
		removeDisk: async (controller, number) => void calls.push(`remove ${number} of ${controller}`),
		async addPcieDevice(port, device) {
			calls.push(`add ${JSON.stringify(device)} at ${port}`);
			return 'engine';
		},
		removePcieDevice: async (port) => void calls.push(`remove ${port}`),
		control: async (device, {kind}) => void calls.push(`${kind} ${device}`),
		processors: 1,
		ended: new Promise(() => {}),
		kernelNotes: async () => undefined,
		listenToSamples(hz) {
			calls.push(`sample at ${hz}`);
			return () => calls.push('sample no more');
		},
		stop: call('stop'),
		...changes,
	};
	return {target: target as Machine, calls};
}

async function serve(t: ExecutionContext, options: ControlOptions = {}, changes: Partial<Machine> = {}) {
	const path = join(mkdtempSync(join(base, 's-')), 'control');
	const {target, calls} = machine(changes);
	const server = await serveControl(target, {path, ...options});
	t.teardown(() => server.close());
	return {path: server.path, calls, server};
}

/** Sends raw bytes and gives the lines that come back until the server closes or `count` lines are there. */
function raw(path: string, bytes: string | Buffer, count: number): Promise<string[]> {
	return new Promise((resolve, reject) => {
		const socket = connect(path);
		let text = '';
		const done = () => {
			resolve(text.split('\n').filter((line) => line !== ''));
			socket.destroy();
		};
		socket.on('data', (chunk) => {
			text += chunk;
			if (text.split('\n').length > count) done();
		});
		socket.on('close', done);
		socket.on('error', reject);
		socket.write(bytes);
	});
}

/** The answers to raw lines, without the hello. */
const answers = async (path: string, requests: readonly string[]) =>
	(await raw(path, `${requests.join('\n')}\n`, requests.length + 1)).slice(1).map((line) => JSON.parse(line));

test('a client is greeted, looks, changes and drives', async (t) => {
	const {path, calls} = await serve(t, {name: 'db'});
	const client = await ControlClient.connect(path);
	t.like(client.hello, {protocol: 'openvmm-control', version: 1, pid: process.pid, name: 'db'});
	t.deepEqual(await client.call('inspect', {path: 'vm', safe: true}), {
		kind: 'object',
		children: [
			['state', {kind: 'value', value: 'running'}],
			['key', {kind: 'unresolved', why: 'sensitive'}],
		],
	});
	t.like(await client.call('update', {path: 'log', value: 'info'}), {value: 'info'});
	const withParams = [
		'inspect',
		'update',
		'feed-console',
		'resize-console',
		'shut-down',
		'dump-core',
		'save-snapshot',
		'pcie-add',
		'pcie-remove',
		'disk-add',
		'disk-remove',
		'resize-disk',
		'limit-disk',
		'limit-nic',
		'set-link',
		'attach-namespace',
		'detach-namespace',
		'attach-lun',
		'detach-lun',
		'eject-medium',
		'insert-medium',
		'set-balloon',
		'plug-port',
		'unplug-port',
		'resize-port',
		'quit',
	];
	const sampling = ['profile', 'samples', 'kernel-symbols'];
	for (const method of client.hello.methods.filter((name) => ![...withParams, ...sampling].includes(name)))
		t.deepEqual(await client.call(method), {state: 'running'});
	t.deepEqual(await client.call('dump-core', {path: '/tmp/core'}), {path: '/tmp/core'});
	t.deepEqual(await client.call('save-snapshot', {path: '/tmp/it'}), {
		path: '/tmp/it',
		restore: ['openvmm', 'restore', '/tmp/it'],
	});
	t.deepEqual(await client.call('pcie-add', {port: 'rp0', device: '/x.ts,size=1'}), {name: 'engine'});
	t.deepEqual(await client.call('pcie-remove', {port: 'rp0'}), {});
	for (const disk of ['/a.img,nsid=3,ro', {disk: {kind: 'file', path: '/a.img'}, readOnly: true, number: 3}])
		t.deepEqual(await client.call('disk-add', {controller: 'nvme', disk}), {number: 3});
	t.deepEqual(await client.call('disk-remove', {controller: 'nvme', number: 3}), {});
	t.deepEqual(await client.call('resize-disk', {device: 'virtio-blk'}), {});
	for (const link of ['down', 'up']) t.deepEqual(await client.call('set-link', {device: 'virtio-net', link}), {});
	await t.throwsAsync(client.call('set-link', {device: 'virtio-net', link: 'off'}), {code: 'CONTROL_PARAM_INVALID'});
	t.deepEqual(await client.call('attach-namespace', {device: 'nvme', nsid: 2}), {});
	t.deepEqual(await client.call('detach-namespace', {device: 'nvme', nsid: 3}), {});
	for (const method of ['attach-lun', 'detach-lun', 'eject-medium', 'insert-medium'])
		t.deepEqual(await client.call(method, {device: 'scsi', lun: 0}), {});
	t.deepEqual(await client.call('eject-medium', {device: 'scsi', lun: 255, force: true}), {});
	t.deepEqual(await client.call('set-balloon', {device: 'balloon', size: 2 ** 28}), {});
	for (const size of [-1, 2 ** 45, '256M'])
		await t.throwsAsync(client.call('set-balloon', {device: 'balloon', size}), {code: 'CONTROL_PARAM_INVALID'});
	for (const method of ['plug-port', 'unplug-port'])
		t.deepEqual(await client.call(method, {device: 'console', port: 1}), {});
	t.deepEqual(await client.call('resize-port', {device: 'console', port: 0, columns: 132, rows: 43}), {});
	for (const lun of [-1, 256, '1'])
		await t.throwsAsync(client.call('eject-medium', {device: 'scsi', lun}), {code: 'CONTROL_PARAM_INVALID'});
	for (const nsid of [0, 1025, '1'])
		await t.throwsAsync(client.call('attach-namespace', {device: 'nvme', nsid}), {code: 'CONTROL_PARAM_INVALID'});
	t.deepEqual(await client.call('samples', {timeMs: 1, hz: 7}), {hottest: [], ms: 0, waitingMs: 0});
	const profile = join(path, '../profile.json');
	t.deepEqual(await client.call('profile', {path: profile, seconds: 1, hz: 8}), {path: profile, samples: 0});
	t.deepEqual(await client.call('kernel-symbols'), {});
	await client.call('resume', {clock: 'catch-up'});
	for (const clock of ['later', 1, null])
		await t.throwsAsync(client.call('resume', {clock}), {code: 'CONTROL_PARAM_INVALID'});
	await client.call('quit');
	while (!calls.includes('stop')) await new Promise((resolve) => setImmediate(resolve));
	t.deepEqual(calls, [
		'pause',
		'resume',
		'reset',
		'nmi',
		'power-button',
		'dump /tmp/core',
		'save /tmp/it',
		'add {"module":"/x.ts","options":{"size":"1"}} at rp0',
		'remove rp0',
		...Array(2).fill('add {"disk":{"kind":"file","path":"/a.img"},"readOnly":true,"number":3} to nvme'),
		'remove 3 of nvme',
		'measure-disk virtio-blk',
		'link virtio-net',
		'link virtio-net',
		'attach-namespace nvme',
		'detach-namespace nvme',
		'attach-lun scsi',
		'detach-lun scsi',
		'eject-medium scsi',
		'insert-medium scsi',
		'eject-medium scsi',
		'balloon-target balloon',
		'plug-port console',
		'unplug-port console',
		'resize-port console',
		'sample at 7',
		'sample no more',
		'sample at 8',
		'sample no more',
		'resume catch-up',
		'stop',
	]);
	client.close();
});

test('who asks for it is told how far a long operation is, before its answer', async (t) => {
	const {path} = await serve(
		t,
		{},
		{
			dumpCore: async (_path, {progress} = {}) => {
				progress?.(1, 4);
				progress?.(2, 4);
			},
		},
	);
	const client = await ControlClient.connect(path);
	t.teardown(() => client.close());
	const told: number[][] = [];
	const asked = client.call('dump-core', {path: '/x'}, (...far) => void told.push(far));
	t.deepEqual(await asked, {path: '/x'});
	t.deepEqual(told, [[1, 4]], 'not more than a person reads');
	t.deepEqual(await client.call('dump-core', {path: '/x'}), {path: '/x'});
	const [quiet, wrong] = await answers(path, [
		'{"id":1,"method":"dump-core","params":{"path":"/x"}}',
		'{"id":2,"method":"dump-core","params":{"path":"/x"},"progress":7}',
	]);
	t.deepEqual(quiet, {id: 1, result: {path: '/x'}});
	t.is(wrong.error.code, 'CONTROL_REQUEST_MALFORMED');
});

test('who serves a machine may end it in another way', async (t) => {
	const {promise, resolve} = Promise.withResolvers<void>();
	const {path, calls} = await serve(t, {quit: resolve});
	t.deepEqual(await (await ControlClient.connect(path)).call('quit'), {});
	await promise;
	t.deepEqual(calls, []);
});

test('the socket is its owner’s alone, and goes with the server', async (t) => {
	const {path, server} = await serve(t);
	t.is(statSync(path).mode & 0o777, 0o600);
	server.close();
	server.close();
	t.false(existsSync(path));
});

const wrong: [string, string][] = [
	['{"id":', 'CONTROL_REQUEST_MALFORMED'],
	['[]', 'CONTROL_REQUEST_MALFORMED'],
	['null', 'CONTROL_REQUEST_MALFORMED'],
	['{"method":"status"}', 'CONTROL_REQUEST_MALFORMED'],
	['{"id":1,"method":7}', 'CONTROL_REQUEST_MALFORMED'],
	['{"id":1,"method":"status","params":[]}', 'CONTROL_REQUEST_MALFORMED'],
	['{"id":1,"method":"statsu"}', 'CONTROL_METHOD_UNKNOWN'],
	['{"id":1,"method":"constructor"}', 'CONTROL_METHOD_UNKNOWN'],
	['{"id":1,"method":"pause","params":{"now":true}}', 'CONTROL_PARAM_UNKNOWN'],
	['{"id":1,"method":"inspect","params":{"depth":-1}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"inspect","params":{"path":null}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"inspect","params":{"timeoutMs":1e9}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"inspect","params":{"path":"log","value":"info"}}', 'CONTROL_PARAM_UNKNOWN'],
	['{"id":1,"method":"update","params":{"path":"log"}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"dump-core","params":{"path":7}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"dump-core","params":{"path":"core"}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"save-snapshot","params":{"path":"./dir"}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":"x.ts,a=1"}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":"x.ts,a"}}', 'CONFIG_VALUE_INVALID'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":"virtio-blk,disk=x.img"}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":"virtio-blk,disk=/none.img"}}', 'CONFIG_PATH_MISSING'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":{"kind":"virtio-blk"}}}', 'CONFIG_VALUE_MISSING'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":{"kind":"pcie-root-port"}}}', 'CONFIG_DEVICE_KIND'],
	['{"id":1,"method":"pcie-add","params":{"port":"rp0","device":{"kind":7}}}', 'CONTROL_PARAM_INVALID'],
	[
		'{"id":1,"method":"pcie-add","params":{"port":"rp0","device":{"kind":"nvme","module":"/x"}}}',
		'CONTROL_PARAM_INVALID',
	],
	['{"id":1,"method":"disk-add","params":{"controller":"n","disk":"a.img"}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"disk-add","params":{"controller":"n","disk":"/a.img,on=n"}}', 'CONFIG_KEY_UNKNOWN'],
	['{"id":1,"method":"disk-add","params":{"controller":"n","disk":{"disk":{"kind":"file"}}}}', 'CONFIG_VALUE_INVALID'],
	['{"id":1,"method":"disk-add","params":{"controller":"n","disk":null}}', 'CONFIG_VALUE_INVALID'],
	['{"id":1,"method":"disk-remove","params":{"controller":"n","number":-1}}', 'CONTROL_PARAM_INVALID'],
	['{"id":1,"method":"pause","params":{"__proto__":1}}', 'CONTROL_PARAM_UNKNOWN'],
	['{"id":1,"method":"update","params":{"path":"log","value":"loud"}}', 'INSPECT_VALUE_INVALID'],
	['{"id":1,"method":"update","params":{"path":"vm/state","value":"x"}}', 'INSPECT_READ_ONLY'],
	['{"id":1,"method":"inspect","params":{"path":"vm/stat"}}', 'INSPECT_PATH_NOT_FOUND'],
];
for (const [request, code] of wrong) {
	test(`${request} is answered with ${code}, and the next request as ever`, async (t) => {
		const {path} = await serve(t);
		const [first, second] = await answers(path, [request, '{"id":"b","method":"status"}']);
		t.is(first.error.code, code);
		t.deepEqual(second, {id: 'b', result: {state: 'running'}});
	});
}

test('what takes long is given up when its client goes away, and nothing else is', async (t) => {
	const begun = Promise.withResolvers<AbortSignal>();
	const saveSnapshot: Machine['saveSnapshot'] = (_path, {signal} = {}) => {
		if (signal !== undefined) begun.resolve(signal);
		return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
	};
	const {path} = await serve(t, {}, {saveSnapshot});
	const [client, other] = [await ControlClient.connect(path), await ControlClient.connect(path)];
	const call = client.call('save-snapshot', {path: '/tmp/it'});
	const signal = await begun.promise;
	t.like(await other.call('status'), {state: 'running'});
	t.false(signal.aborted);
	client.close();
	await t.throwsAsync(call);
	if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
	t.regex(String(signal.reason), /gone away/);
	t.like(await other.call('status'), {state: 'running'});
	other.close();
});

for (const [what, leave] of [
	['shuts its side down', (client: Socket) => client.end()],
	['closes', (client: Socket) => client.destroy()],
] as const) {
	test(`a client that ${what} is noticed although requests of its wait, and they are not begun`, async (t) => {
		const begun = Promise.withResolvers<AbortSignal>();
		const givenUp = Promise.withResolvers<void>();
		const saveSnapshot: Machine['saveSnapshot'] = (_path, {signal} = {}) => {
			if (signal !== undefined) begun.resolve(signal);
			signal?.addEventListener('abort', () => givenUp.resolve());
			return givenUp.promise;
		};
		const {path, calls} = await serve(t, {}, {saveSnapshot});
		const client = connect(path);
		const rest = Array.from({length: maxWaiting - 1}, (_, id) => `{"id":${id},"method":"reset"}\n`);
		client.write(['{"id":"a","method":"save-snapshot","params":{"path":"/tmp/it"}}\n', ...rest].join(''));
		t.false((await begun.promise).aborted);
		leave(client);
		await givenUp.promise;
		// Another client's answers come behind all that was under way.
		const other = await ControlClient.connect(path);
		t.like(await other.call('status'), {state: 'running'});
		t.deepEqual(calls, []);
		client.destroy();
		other.close();
	});
}

test.serial('answers that fill the socket leave no listeners behind', async (t) => {
	const {path} = await serve(t);
	const served = Promise.withResolvers<Socket>();
	const take = (message: unknown) => served.resolve((message as {socket: Socket}).socket);
	subscribe('net.server.socket', take);
	const client = await ControlClient.connect(path);
	unsubscribe('net.server.socket', take);
	const socket = await served.promise;
	const listeners = async (answers: number) => {
		for (let answer = 0; answer < answers; answer++) await client.call('inspect', {path: 'large'});
		// It is begun when the answer before it has been taken whole.
		await client.call('status');
		return socket.eventNames().map((name) => [name, socket.listenerCount(name)]);
	};
	t.deepEqual(await listeners(3), await listeners(1));
	client.close();
});

test('a bug of ours is an answer, not an end', async (t) => {
	const {path} = await serve(t, {}, {pause: () => Promise.reject(new TypeError('x'))});
	const [first, second] = await answers(path, ['{"id":1,"method":"pause"}', '{"id":2,"method":"status"}']);
	t.like(first, {id: 1, error: {code: 'CONTROL_FAILED', message: 'pause failed: x'}});
	t.is(second.id, 2);
});

test('a request that is too large is answered and the connection closed', async (t) => {
	const {path} = await serve(t);
	for (const bytes of [
		'x'.repeat(maxRequestBytes + 1),
		`${'x'.repeat(maxRequestBytes + 1)}\n{"id":1,"method":"status"}\n`,
	]) {
		const [, error, ...more] = await raw(path, bytes, 9);
		t.is(JSON.parse(error ?? '').error.code, 'CONTROL_REQUEST_TOO_LARGE');
		t.deepEqual(more, []);
	}
});

test('random bytes do no harm', async (t) => {
	const {path} = await serve(t);
	let seed = 1;
	const bytes = Buffer.from(
		Array.from({length: 20_000}, () => {
			seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
			return seed >>> 24;
		}),
	);
	await raw(path, Buffer.concat([bytes, Buffer.from('\n')]), 2);
	t.like(await (await ControlClient.connect(path)).call('status'), {state: 'running'});
});

test('a client that does not read, and one whose request hangs, keep nobody', async (t) => {
	const {path} = await serve(t, {}, {pause: () => new Promise(() => {})});
	const deaf = connect(path);
	deaf.pause();
	deaf.write('{"id":1,"method":"inspect","params":{"path":"large"}}\n'.repeat(500));
	const hanging = await ControlClient.connect(path);
	void hanging.call('pause').catch(() => {});
	const third = await ControlClient.connect(path);
	t.like(await third.call('status'), {state: 'running'});
	for (const client of [deaf, hanging, third]) client instanceof ControlClient ? client.close() : client.destroy();
});

test('connections are counted', async (t) => {
	const {path} = await serve(t);
	const clients = await Promise.all(Array.from({length: maxClients}, () => ControlClient.connect(path)));
	await t.throwsAsync(ControlClient.connect(path), {code: 'CONTROL_TOO_MANY_CLIENTS'});
	clients[0]?.close();
	for (let free = false; !free; ) {
		free = await ControlClient.connect(path).then(
			(client) => {
				client.close();
				return true;
			},
			() => false,
		);
	}
	for (const client of clients) client.close();
	t.pass();
});

test('a socket that a dead process left is taken over, a living one is not', async (t) => {
	const path = join(mkdtempSync(join(base, 's-')), 'control');
	writeFileSync(path, '');
	const server = await serveControl(machine().target, {path});
	await t.throwsAsync(serveControl(machine().target, {path}), {code: 'CONTROL_SOCKET_TAKEN'});
	server.close();
	await t.throwsAsync(serveControl(machine().target, {path: join(base, 'no/such/control')}), {
		code: 'CONTROL_SOCKET_FAILED',
	});
});

test('something else behind a socket is recognised', async (t) => {
	const path = join(mkdtempSync(join(base, 's-')), 'other');
	const greetings = ['220 mail\n', '{"QMP":{}}\n', '{"hello":{"protocol":"openvmm-control","version":99}}\n'];
	const server = createServer((socket) => void socket.end(greetings.shift() ?? ''));
	await new Promise<void>((resolve) => void server.listen(path, resolve));
	for (const found of [/no JSON/, /another protocol/, /version 99/])
		await t.throwsAsync(ControlClient.connect(path), {code: 'CONTROL_NOT_OURS', message: found});
	await t.throwsAsync(ControlClient.connect(path), {code: 'CONTROL_UNREACHABLE', message: /says nothing/});
	server.close();
	await t.throwsAsync(ControlClient.connect(join(base, 'nobody')), {code: 'CONTROL_UNREACHABLE', message: /ENOENT/});
});

test('a directory that is not the user’s own alone is refused', (t) => {
	const folder = mkdtempSync(join(base, 'd-'));
	mkdirSync(join(folder, 'open'), {mode: 0o755});
	t.throws(() => makeEntryDirectory(join(folder, 'open')), {
		code: 'CONTROL_DIRECTORY_UNSAFE',
		message: /open to others/,
	});
	symlinkSync('/tmp', join(folder, 'link'));
	t.throws(() => makeEntryDirectory(join(folder, 'link')), {
		code: 'CONTROL_DIRECTORY_UNSAFE',
		message: /no directory/,
	});
	makeEntryDirectory(join(folder, 'new'));
	t.is(statSync(join(folder, 'new')).mode & 0o777, 0o700);
	t.is(entryDirectory({XDG_RUNTIME_DIR: '/run/x'}), `/run/x/openvmm-${process.getuid?.()}`);
});
