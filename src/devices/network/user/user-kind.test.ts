import {createSocket} from 'node:dgram';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {type AddressInfo, connect, createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type Endpoint, type EndpointReport, Frame, type Nic} from '#devices/network/endpoint';
import {inspectTree, type ObjectNode, toJson} from '#support/inspect';
import {EpollReactor} from '#support/reactor';
import {noProgram} from '#support/rpc';
import {ACK, mac, type Parsed, parse, SYN, tcpFrame} from './testing/frames.ts';
import {gatewayMac} from './testing/test-guest.ts';
import {userKind} from './user-kind.ts';
import {isUserSource} from './user-source.ts';

test('a network is written as OpenVMM has it, and with rules', (t) => {
	const text =
		'192.168.5.0/24,hostfwd=tcp::2222-:22,hostfwd=udp:[::1]:53-:53,hostfwd=tcp::23-192.168.5.2:22,guestfwd=tcp::80-127.0.0.1:8080,allow=*.example.com:443,closed=private,name=web,dns=9.9.9.9,dns=9.9.9.9:5353,dns=[2620:fe::fe]:5353,decisions=/tmp/web.jsonl,ipv6=on';
	const source = userKind.parse(text, '--virtio-net');
	t.deepEqual(source, {
		kind: 'consomme',
		cidr: '192.168.5.0/24',
		closed: 'private',
		name: 'web',
		hostForwards: [
			{protocol: 'tcp', hostAddress: undefined, hostPort: 2222, guestPort: 22},
			{protocol: 'udp', hostAddress: '::1', hostPort: 53, guestPort: 53},
			{protocol: 'tcp', hostAddress: undefined, hostPort: 23, guestAddress: '192.168.5.2', guestPort: 22},
		],
		guestForwards: [{protocol: 'tcp', address: undefined, port: 80, target: {address: '127.0.0.1', port: 8080}}],
		allow: ['*.example.com:443'],
		nameservers: ['9.9.9.9', '9.9.9.9:5353', '[2620:fe::fe]:5353'],
		decisions: '/tmp/web.jsonl',
		ipv6: true,
	});
	t.true(isUserSource({...source}));
	t.deepEqual(userKind.parse(undefined, '--virtio-net'), {kind: 'consomme'});
	t.deepEqual(userKind.parse('ipv6=off', '--virtio-net'), {kind: 'consomme', ipv6: false});
	t.deepEqual(userKind.parse('allow=*', '--virtio-net'), {kind: 'consomme', allow: ['*']});
});

for (const text of [
	'10.0.0.0',
	'10.0.0.0/31',
	'300.0.0.0/24',
	'fd00::/64',
	'hostfwd=tcp:2222-22',
	'hostfwd=sctp::1-:2',
	'hostfwd=tcp::1-:0',
	'hostfwd=tcp::70000-:1',
	'guestfwd=tcp::0-:1',
	'allow=',
	'allow=a b',
	'closed=some',
	'name=a.b',
	'dns=one',
	'dns=9.9.9.9:0',
	'dns=9.9.9.9:65536',
	'dns=[9.9.9.9]:53',
	'dns=::1:',
	'decisions=',
	'ipv6=',
	'ipv6=yes',
	'more',
	'allow=*,10.0.0.0/24',
	',',
])
	test(`no network is written ${JSON.stringify(text)}`, (t) => {
		t.throws(() => userKind.parse(text, '--virtio-net'), {code: 'CONFIG_VALUE_INVALID'});
	});

test('data that is no network is refused', (t) => {
	const wrong = [
		{cidr: 5},
		{allow: ['a b']},
		{allow: 'x'},
		{closed: 'x'},
		{hostForwards: [{}]},
		{hostForwards: [{protocol: 'tcp', hostPort: 1, guestPort: 1, guestAddress: 'web'}]},
		{guestForwards: [{protocol: 'tcp', port: 1}]},
		{name: 'a.b'},
		{nameservers: ['x']},
		{nameservers: ['localhost:53']},
		{decisions: ''},
		{decisions: 5},
		{ipv6: 'on'},
	];
	for (const fields of wrong) t.false(isUserSource({kind: 'consomme', ...fields}), JSON.stringify(fields));
});

/** A NIC on a thread whose loop is a reactor's, as on a device worker. */
async function onReactor(t: ExecutionContext, text: string) {
	const reactor = new EpollReactor();
	const frames: Parsed[] = [];
	let arrived = Promise.withResolvers<void>();
	const nic: Nic = {
		mac: Uint8Array.from(mac('00:15:5d:00:00:01')),
		mtu: 1500,
		pairs: 1,
		receive(frame) {
			const bytes = frame.bytes.slice(0, frame.length);
			if (frame.needsChecksum) return finishAndKeep(bytes, frame);
			frames.push(parse(bytes));
			arrived.resolve();
			return true;
		},
		room() {},
		carrier() {},
	};
	const finishAndKeep = (bytes: Uint8Array, {checksumStart}: Frame): boolean => {
		let sum = 0;
		for (let at = checksumStart; at < bytes.length; at += 2) sum += (bytes[at] as number) * 256 + (bytes[at + 1] ?? 0);
		while (sum > 0xffff) sum = (sum >>> 16) + (sum & 0xffff);
		bytes.set([(~sum >> 8) & 255, ~sum & 255], checksumStart + 16);
		frames.push(parse(bytes));
		arrived.resolve();
		return true;
	};
	const source = userKind.parse(text, 'net');
	const memory = new SharedArrayBuffer(64 + userKind.sharedBytes(source));
	const running = reactor.run();
	let noticed = 0;
	const host = {
		...{reactor, memory, offset: 64, common: undefined, track: () => undefined, program: noProgram},
		noticed: () => void noticed++,
	};
	let endpoint: Endpoint | undefined;
	t.teardown(async () => {
		await endpoint?.stop();
		await endpoint?.dispose();
		reactor.close();
		await running;
	});
	const opened: Endpoint = await userKind.open(source, nic, host);
	endpoint = opened;
	opened.start();
	return {
		report: userKind.report?.(source, memory, 64) as EndpointReport,
		noticed: () => noticed,
		stop: async () => opened.stop(),
		/** Calls the endpoint where a doorbell does: from the reactor, when Node's loop has no turn of its own. */
		send(bytes: Uint8Array) {
			const frame = new Frame(bytes.length);
			frame.bytes.set(bytes);
			frame.become(bytes.length);
			return new Promise<void>((resolve) => {
				reactor.after(0, () => {
					opened.send(frame);
					resolve();
				});
			});
		},
		async next(): Promise<Parsed> {
			for (;;) {
				const frame = frames.shift();
				if (frame !== undefined) return frame;
				arrived = Promise.withResolvers();
				await arrived.promise;
			}
		},
	};
}

test.serial(
	'on a reactor connections are begun from its own callbacks, and what is decided is in inspect and told',
	async (t) => {
		const server = createServer((socket) => void socket.on('error', () => undefined).end('from the host'));
		server.listen(0, '127.0.0.1');
		await once(server, 'listening');
		t.teardown(() => server.close());
		const {port} = server.address() as AddressInfo;
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-user-'));
		t.teardown(() => rmSync(folder, {recursive: true}));
		const path = join(folder, 'decisions.jsonl');
		const {send, next, report, noticed, stop} = await onReactor(t, `allow=127.0.0.1:${port},decisions=${path}`);
		const ends = {
			fromMac: mac('00:15:5d:00:00:01'),
			toMac: mac(gatewayMac),
			source: '10.0.0.2',
			destination: '127.0.0.1',
		};
		await send(tcpFrame(ends, {sourcePort: 4000, port, sequence: 99, flags: SYN}));
		const answer = await next();
		t.is(answer.tcp?.flags, SYN | ACK);
		const acknowledgment = ((answer.tcp?.sequence ?? 0) + 1) >>> 0;
		await send(tcpFrame(ends, {sourcePort: 4000, port, sequence: 100, acknowledgment, flags: ACK}));
		for (let text = ''; text !== 'from the host'; ) text += (await next()).tcp?.data.toString() ?? '';
		await send(tcpFrame(ends, {sourcePort: 4001, port: port + 1, sequence: 99, flags: SYN}));
		while ((await next()).tcp?.port !== 4001);
		const nodes = report.nodes();
		t.like(nodes, {network: '10.0.0.0/24', tcpOpened: 2, allowed: 1, refused: 1});
		const kept = (name: string) => (nodes[name] as {children: () => Record<string, string>}).children();
		const guest = 'guest (00:15:5d:00:00:01)';
		const refusal = `${guest} tcp 127.0.0.1 port ${port + 1}: the host itself is closed`;
		t.deepEqual(kept('decisions'), {0: `allow ${guest} tcp 127.0.0.1 port ${port}`});
		t.deepEqual(kept('refusals'), {0: `refuse ${refusal}`});
		t.is(noticed(), 2);
		const [refused, allowed] = report.notices?.() ?? [];
		t.deepEqual(refused, {
			kind: 'network-decision',
			level: 'info',
			message: `The network refuses ${refusal}`,
			details: {
				...{decision: 'refuse', protocol: 'tcp', guest: 'guest', mac: '00:15:5d:00:00:01', address: '127.0.0.1'},
				...{port: port + 1, detail: 'the host itself is closed', count: 1},
			},
			pauses: false,
		});
		t.like(allowed, {level: 'debug', message: `The network allows ${guest} tcp 127.0.0.1 port ${port}`});
		t.deepEqual(report.notices?.(), [], 'it is told once');
		await stop();
		const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
		t.deepEqual(
			lines.map((line) => JSON.parse(line)).map(({decision, mac: own, port: end}) => [decision, own, end]),
			[
				['allow', '00:15:5d:00:00:01', port],
				['refuse', '00:15:5d:00:00:01', port + 1],
			],
			'a machine that stands still has written them',
		);
		t.like(report.nodes(), {decisionsWritten: 2, decisionsLost: 0});
	},
);

test.serial('on a reactor the host’s ports lead to the guest, and one that is taken is an error', async (t) => {
	const server = createServer();
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const {port} = server.address() as AddressInfo;
	await t.throwsAsync(onReactor(t, `hostfwd=tcp:127.0.0.1:${port}-:22`), {code: 'NETWORK_PORT_UNAVAILABLE'});
	server.close();
	await once(server, 'close');
	const {next} = await onReactor(t, `hostfwd=tcp:127.0.0.1:${port}-:22`);
	const socket = connect(port, '127.0.0.1');
	socket.on('error', () => undefined);
	t.teardown(() => socket.destroy());
	const syn = await next();
	t.deepEqual([syn.tcp?.flags, syn.tcp?.port, syn.source], [SYN, 22, '10.0.0.1']);
});

interface Forwarded {
	readonly protocol: string;
	readonly hostAddress: string;
	readonly hostPort: number;
}

test.serial('ports of the host that may be any are told', async (t) => {
	const forwards = ['tcp:127.0.0.1:0-:22', 'udp:127.0.0.1:0-:53', 'udp:[::1]:0-:53'];
	const {report} = await onReactor(t, forwards.map((text) => `hostfwd=${text}`).join(','));
	const nodes = report.nodes() as {forwards: ObjectNode};
	const told = toJson(await inspectTree(nodes.forwards, '', {depth: 2})) as Record<string, Forwarded>;
	const [ssh, ...names] = Object.values(told);
	t.like(ssh, {protocol: 'tcp', hostAddress: '127.0.0.1', guestPort: 22});
	t.is(names.length, 2);
	const connected = connect(ssh?.hostPort ?? 0, '127.0.0.1');
	await once(connected, 'connect');
	connected.destroy();
	// Nobody else can have them.
	for (const {hostAddress, hostPort} of names) {
		const taker = createSocket(hostAddress === '::1' ? 'udp6' : 'udp4').bind(hostPort, hostAddress);
		const [error] = await once(taker, 'error');
		t.like(error, {code: 'EADDRINUSE', port: hostPort});
		taker.close();
	}
});
