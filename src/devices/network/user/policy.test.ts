import type {NetworkInterfaceInfo} from 'node:os';
import {duplexPair} from 'node:stream';
import test, {type ExecutionContext} from 'ava';
import {addressText, bytesOf} from './packets/index.ts';
import {AddressKinds, hostAddresses, KnownNames, Policy, parseRule, type Rule, type Verdict} from './policy/index.ts';
import {addresses, query, resolver, response} from './testing/dns-messages.ts';
import {ACK, ip, RST, SYN} from './testing/frames.ts';
import {makeNetwork, type NetworkChoices} from './testing/make-network.ts';
import {ManualClock} from './testing/manual-clock.ts';
import {TcpClient} from './testing/tcp-client.ts';
import {readBytes, tcpServer} from './testing/tcp-server.ts';
import {TestGuest} from './testing/test-guest.ts';
import {udpServer} from './testing/udp-server.ts';
import type {UserNetworkEndpoint} from './user-network.ts';

const kindCases = {
	'8.8.8.8': 'public',
	'2606:4700::1111': 'public',
	'127.0.0.1': 'host',
	'127.8.8.8': 'host',
	'0.0.0.0': 'host',
	'::1': 'host',
	'::': 'host',
	'192.0.0.8': 'host',
	'10.1.2.3': 'private',
	'172.31.0.1': 'private',
	'172.32.0.1': 'public',
	'192.168.0.1': 'private',
	'100.64.0.1': 'private',
	'fd00::1': 'private',
	'169.254.169.254': 'metadata',
	'fd00:ec2::254': 'metadata',
	'100.100.100.200': 'metadata',
	'168.63.129.16': 'metadata',
	'fe80::1': 'metadata',
	'224.0.0.1': 'never',
	'255.255.255.255': 'never',
	'ff02::1': 'never',
	'::ffff:8.8.8.8': 'never',
	'::ffff:0:8.8.8.8': 'never',
	'::8.8.8.8': 'never',
	'64:ff9b::8.8.8.8': 'public',
	'64:ff9b::127.0.0.1': 'host',
	'64:ff9b::169.254.169.254': 'metadata',
	'64:ff9b::10.0.0.1': 'private',
	'64:ff9b:1::808:808': 'private',
	'2002:7f00:1::1': 'host',
	'2002:a9fe:a9fe::': 'metadata',
	'2002:808:808::1': 'public',
	'2001:0:a9fe:a9fe::f7f7:f7f7': 'metadata',
	'2001:0:808:808::80ff:fffe': 'host',
	'2606:4700::5efe:127.0.0.1': 'host',
	'2606:4700::200:5efe:10.0.0.1': 'private',
} as const;
for (const [address, kind] of Object.entries(kindCases)) {
	test(`${address} is ${kind}`, (t) => {
		t.is(new AddressKinds(() => ['192.0.0.8']).of(addressText(bytesOf(address))), kind);
	});
}

test('addresses of the host’s own are those of its interfaces, and those that its routers have together (RFC 4291, 2.6.1)', (t) => {
	const one = (address: string, netmask: string, family: 'IPv4' | 'IPv6') =>
		({address, netmask, family, mac: '', internal: false, cidr: null, scopeid: 0}) as NetworkInterfaceInfo;
	const own = hostAddresses([
		one('198.18.0.9', '255.255.255.0', 'IPv4'),
		one('2606:4700:1:2:3:4:5:6', 'ffff:ffff:ffff:ffff::', 'IPv6'),
		one('fe80::1%eth0', 'ffff:ffff:ffff:ffff::', 'IPv6'),
	]);
	const kinds = new AddressKinds(() => own);
	t.is(kinds.of('2606:4700:1:2:3:4:5:6'), 'host');
	t.is(kinds.of('2606:4700:1:2::'), 'host');
	t.is(kinds.of('fe80::'), 'host');
	t.is(kinds.of('198.18.0.9'), 'host');
	t.is(kinds.of('198.18.0.0'), 'private');
	t.is(kinds.of('2606:4700:1:2::1'), 'public');
});

test('rules are read, and what is none is refused', (t) => {
	const has = (text: string, address: string, port: number) => {
		const rule = parseRule(text);
		return rule?.hasAddress(address) && rule.hasPort(port);
	};
	t.true(has('10.0.0.0/8:80-90', '10.9.9.9', 85));
	t.false(has('10.0.0.0/8:80-90', '10.9.9.9', 91));
	t.false(has('10.0.0.0/8', '11.0.0.0', 1));
	t.true(has('[2606:4700::/32]:443', '2606:4700::9', 443));
	t.true(has('2606:4700::9', '2606:4700::9', 5));
	t.is(parseRule('Example.COM.:443')?.name, 'example.com');
	t.true(parseRule('*')?.isAny);
	const wrong = [
		'',
		':80',
		'a b',
		'a..b',
		'-a',
		'1.2.3',
		'1.2.3.4.5',
		'1.2.3.4/33',
		'a:0-99999',
		'a:9-8',
		'*.',
		'a.*',
		'[a]:1',
		'::ffff:1.2.3.4',
		'x/8',
	];
	for (const text of wrong) t.is(parseRule(text), undefined, text);
});

function makeGuest(t: ExecutionContext, choices: NetworkChoices) {
	const made = makeNetwork(choices);
	const guest = new TestGuest(made.network);
	t.teardown(() => guest.endpoint.dispose());
	const connect = async (address: string, port: number, from = 40_000) => {
		const client = new TcpClient(guest, address, port, from);
		client.syn();
		const {flags} = await client.next();
		return flags === (SYN | ACK) ? 'open' : flags === (RST | ACK) ? 'refused' : flags;
	};
	return {...made, guest, connect};
}

test('the host’s loopback is closed unless a rule names it', async (t) => {
	const {port} = await tcpServer(t);
	t.is(await makeGuest(t, {allow: []}).connect('127.0.0.1', port), 'refused');
	t.is(await makeGuest(t, {allow: ['*']}).connect('127.0.0.1', port), 'refused');
	t.is(await makeGuest(t, {allow: [`127.0.0.1:${port + 1}`]}).connect('127.0.0.1', port), 'refused');
	t.is(await makeGuest(t, {allow: [`127.0.0.1:${port}`]}).connect('127.0.0.1', port), 'open');
});

test('datagrams are under the same rules, and the guest is told', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const {guest, decisions} = makeGuest(t, {closed: 'all', allow: []});
	guest.udp('127.0.0.1', 5000, echo.port, 'out');
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 13]);
	t.deepEqual(echo.senders, []);
	t.like(decisions[0], {protocol: 'udp', address: '127.0.0.1', port: echo.port, kind: 'refuse'});
});

test('each decision is told', async (t) => {
	const {connect, decisions} = makeGuest(t, {closed: 'private', allow: []});
	await connect('10.1.1.1', 80);
	await connect('10.1.1.1', 80, 40_001);
	await connect('169.254.169.254', 80);
	const refused = {guest: 'guest', protocol: 'tcp', name: undefined, port: 80, kind: 'refuse'};
	const isPrivate = {...refused, address: '10.1.1.1', detail: 'private networks are closed'};
	const metadata = {address: '169.254.169.254', detail: 'metadata and link-local addresses are closed'};
	t.deepEqual(decisions as unknown[], [isPrivate, isPrivate, {...refused, ...metadata}]);
});

test('a name opens the addresses that its guest was told, and no others', async (t) => {
	const host = await resolver(t, (message) => response(message, [{name: 'a.example', type: 1, data: '93.184.216.34'}]));
	const {guest, policy} = makeGuest(t, {closed: 'all', allow: ['a.example:443'], nameservers: [host.address]});
	const {name, names} = guest.endpoint as UserNetworkEndpoint & {readonly names: KnownNames};
	const decide = async (address: string, port: number) =>
		(await policy.connection({guest: name, protocol: 'tcp', name: undefined, address, port}, names)).kind;
	t.is(await decide('93.184.216.34', 443), 'refuse', 'nobody has asked for the name');
	guest.udp('10.0.0.1', 5000, 53, query('a.example'));
	t.deepEqual(addresses((await guest.nextUdp(5000)).data), ['93.184.216.34']);
	t.is(await decide('93.184.216.34', 443), 'allow');
	t.is(await decide('93.184.216.34', 80), 'refuse');
	t.is(await decide('93.184.216.35', 443), 'refuse');
});

test('who owns a name opens no port of a closed address by it that the rule for the address has not', async (t) => {
	const [named, other] = [await tcpServer(t), await tcpServer(t)];
	const rules = [`127.0.0.1:${named.port}`, '127.0.0.0/8:1', '10.1.2.3:443', 'a.example'];
	const host = await resolver(t, (message) =>
		response(
			message,
			['127.0.0.1', '10.1.2.3', '192.168.1.1'].map((data) => ({name: 'a.example', type: 1, data})),
		),
	);
	for (const closed of ['private', 'all'] as const) {
		const {connect, guest} = makeGuest(t, {closed, allow: rules, nameservers: [host.address]});
		guest.udp('10.0.0.1', 5000, 53, query('a.example'));
		if (closed === 'all') t.deepEqual(addresses((await guest.nextUdp(5000)).data), ['127.0.0.1', '10.1.2.3']);
		else await guest.nextUdp(5000);
		t.is(await connect('127.0.0.1', named.port, 40_001), 'open');
		t.is(await connect('127.0.0.1', other.port, 40_002), 'refused', closed);
		t.is(await connect('10.1.2.3', 80, 40_003), 'refused', closed);
		t.is(await connect('192.168.1.1', 80, 40_004), 'refused', closed);
	}
	t.is(other.sockets.length, 0);
});

test('a program decides: it sees name, address, port and protocol, and redirects', async (t) => {
	const server = await tcpServer(t);
	const host = await resolver(t, (message) => response(message, [{name: 'a.example', type: 1, data: '93.184.216.34'}]));
	const seen: unknown[] = [];
	const {guest, connect} = makeGuest(t, {
		allow: [],
		nameservers: [host.address],
		connect: async (attempt) => {
			seen.push(attempt);
			if (attempt.protocol === 'dns') return {kind: 'allow'};
			return {kind: 'redirect', address: '127.0.0.1', port: server.port};
		},
	});
	guest.udp('10.0.0.1', 5000, 53, query('a.example'));
	await guest.nextUdp(5000);
	t.is(await connect('93.184.216.34', 443), 'open');
	t.deepEqual(seen, [
		{guest: 'guest', protocol: 'dns', name: 'a.example', address: undefined, port: undefined},
		{guest: 'guest', protocol: 'tcp', name: 'a.example', address: '93.184.216.34', port: 443},
	]);
});

test('a program answers itself, also for addresses that are closed', async (t) => {
	const {guest} = makeGuest(t, {
		allow: [],
		connect: () => ({
			kind: 'answer',
			open() {
				const [ours, theirs] = duplexPair({allowHalfOpen: true});
				theirs.on('data', (data) => theirs.end(`you said ${data}`));
				return ours;
			},
		}),
	});
	const client = new TcpClient(guest, '169.254.169.254', 80);
	await client.connect();
	client.send('GET');
	t.is((await client.take(12)).toString(), 'you said GET');
	await client.end();
});

test('a program cannot open by mistake what is closed, and one that fails refuses', async (t) => {
	const {port} = await tcpServer(t);
	const verdicts = [
		() => ({kind: 'allow'}) as const,
		() => {
			throw new Error('broken');
		},
		() => undefined as never,
		() => ({kind: 'redirect', address: '127.0.0.1', port: 0}) as const,
		() => Promise.reject(new Error('later')),
	];
	for (const connect of verdicts) t.is(await makeGuest(t, {allow: [], connect}).connect('127.0.0.1', port), 'refused');
	const forEver = makeGuest(t, {allow: [], connect: () => new Promise(() => undefined)});
	const waiting = forEver.connect('93.184.216.34', 80);
	await new Promise((resolve) => setImmediate(resolve));
	forEver.clock.pass(10_000);
	t.is(await waiting, 'refused');
	t.regex(forEver.decisions[0]?.detail ?? '', /not decided/);
});

test('IPv6 forms of closed addresses are closed', async (t) => {
	const {connect, decisions} = makeGuest(t, {allow: []});
	const forms = [
		'0:0:0:0:0:ffff:7f00:1',
		'64:ff9b:0:0:0:0:a9fe:a9fe',
		'2002:7f00:1:0:0:0:0:1',
		'fe80:0:0:0:0:0:0:1',
		'fd00:ec2:0:0:0:0:0:254',
	];
	for (const [index, form] of forms.entries()) t.is(await connect(form, 80, 41_000 + index), 'refused');
	t.deepEqual(
		decisions.map(({kind}) => kind),
		forms.map(() => 'refuse'),
	);
	t.is(ip(forms[0] as string).length, 16);
});

test('ports of the gateway lead where the owner of the network has said, whatever is closed', async (t) => {
	const server = await tcpServer(t);
	const echo = await udpServer(t, (message) => `echo ${message}`);
	const target = (port: number) => ({address: '127.0.0.1', port});
	const {connect, guest} = makeGuest(t, {
		closed: 'all',
		allow: [],
		guestForwards: [
			{protocol: 'tcp', address: undefined, port: 80, target: target(server.port)},
			{protocol: 'tcp', address: '192.0.2.1', port: 81, target: target(server.port)},
			{protocol: 'udp', address: undefined, port: 82, target: target(echo.port)},
		],
	});
	t.is(await connect('10.0.0.1', 80), 'open');
	t.is(await connect('192.0.2.1', 81, 40_001), 'open');
	t.is(await connect('10.0.0.1', 81, 40_002), 'refused');
	guest.udp('10.0.0.1', 5000, 82, 'hi');
	const {data, source, sourcePort} = await guest.nextUdp(5000);
	t.deepEqual([data.toString(), source, sourcePort], ['echo hi', '10.0.0.1', 82]);
});

test('a port of the host leads to a port of the guest, and a guest that refuses is heard', async (t) => {
	const {guest} = makeGuest(t, {});
	const forward = await guest.endpoint.forward({protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 0, guestPort: 22});
	t.teardown(() => forward.close());
	const {connect} = await import('node:net');
	const socket = connect(forward.port, '127.0.0.1');
	const syn = await guest.nextTcp(22);
	t.is(syn.flags, SYN);
	const server = new TcpClient(guest, '10.0.0.1', syn.sourcePort, 22);
	server.expected = (syn.sequence + 1) >>> 0;
	server.sequence = 1000;
	server.segment(SYN | ACK, {options: [2, 4, 5, 0xb4]});
	server.sequence = 1001;
	t.is((await server.next()).acknowledgment, 1001);
	server.send('SSH-2.0');
	t.is((await readBytes(socket, 7)).toString(), 'SSH-2.0');
	socket.write('hello');
	t.is((await server.take(5)).toString(), 'hello');
	socket.destroy();
	const refused = connect(forward.port, '127.0.0.1');
	const failed = new Promise<NodeJS.ErrnoException>((resolve) => refused.once('error', resolve));
	const second = await guest.nextTcp(22, (tcp) => tcp.flags === SYN);
	const deaf = new TcpClient(guest, '10.0.0.1', second.sourcePort, 22);
	deaf.expected = (second.sequence + 1) >>> 0;
	deaf.segment(RST | ACK);
	t.is((await failed).code, 'ECONNRESET');
});

test('machines of one network reach each other, and each has its own part of the tables', async (t) => {
	const {network} = makeNetwork();
	const [one, other] = [new TestGuest(network), new TestGuest(network, {number: 2})];
	const frame = Uint8Array.from([...other.mac, ...one.mac, 0x08, 0x06, ...new Array(28).fill(1)]);
	one.send(frame);
	t.is((await other.next()).type, 0x0806);
	one.send(frame.fill(255, 0, 6));
	t.is((await other.next()).toMac, 'ff:ff:ff:ff:ff:ff');
	t.deepEqual(one.frames, []);
});

test('an address of the network itself is not looked for on the host’s', async (t) => {
	const {connect, guest, decisions} = makeGuest(t, {allow: ['*', '10.0.0.0/8', 'fc00::/7']});
	t.is(await connect('10.0.0.77', 80), 'refused');
	t.is(await connect('fd4f:7065:6e56:0:0:0:0:77', 80, 40_001), 'refused');
	guest.udp('10.0.0.77', 5000, 9, 'x');
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 1]);
	guest.udp('10.0.0.1', 5000, 9, 'x');
	t.deepEqual([...(await guest.next()).payload.subarray(0, 2)], [3, 3]);
	t.is(await connect('10.0.0.1', 81, 40_002), 'refused');
	t.deepEqual(
		decisions.map(({kind, protocol, address, port, detail}) => [kind, protocol, address, port, detail.split(' ')[1]]),
		[
			['refuse', 'tcp', '10.0.0.77', 80, 'address'],
			['refuse', 'tcp', 'fd4f:7065:6e56::77', 80, 'address'],
			['refuse', 'udp', '10.0.0.77', 9, 'address'],
			['refuse', 'udp', '10.0.0.1', 9, 'gateway'],
			['refuse', 'tcp', '10.0.0.1', 81, 'gateway'],
		],
	);
});

test('a guest that asks and gives up again and again has so many decisions under way, and others have theirs', async (t) => {
	let asked = 0;
	const undecided = new Set<() => void>();
	const connect = () => {
		asked++;
		return new Promise<Verdict>((resolve) => undecided.add(() => resolve({kind: 'refuse', reason: 'late'})));
	};
	const {network} = makeNetwork({closed: 'all', allow: [], connect});
	const [wild, other] = [new TestGuest(network), new TestGuest(network, {number: 2})];
	t.teardown(() => {
		for (const {endpoint} of [wild, other]) endpoint.dispose();
	});
	for (let count = 0; count < 2000; count++) {
		const ends = {sourcePort: 2000 + count, port: 80, sequence: 99};
		wild.tcp('93.184.216.34', {...ends, flags: SYN});
		wild.tcp('93.184.216.34', {...ends, sequence: 100, flags: RST});
		wild.udp('93.184.216.34', 2000 + (count % 50), 1 + count, 'x');
		wild.udp('10.0.0.1', 2000 + count, 53, query(`n${count}.example.com`));
		if (count % 100 === 0) await new Promise(setImmediate);
	}
	await new Promise(setImmediate);
	t.is(asked, 256 + 128 + 64, 'half of what the network has');
	other.tcp('93.184.216.34', {sourcePort: 2000, port: 80, sequence: 99, flags: SYN});
	await new Promise(setImmediate);
	t.is(asked, 256 + 128 + 64 + 1);
	for (const decide of undecided) decide();
	await other.nextTcp(2000, ({flags}) => (flags & RST) !== 0);
	wild.tcp('93.184.216.34', {sourcePort: 9000, port: 80, sequence: 99, flags: SYN});
	await new Promise(setImmediate);
	t.is(asked, 256 + 128 + 64 + 2, 'it goes on');
	for (const decide of undecided) decide();
});

test('a decision looks at the host’s interfaces once, however many rules there are, and the next one again', async (t) => {
	let looks = 0;
	const own: string[] = [];
	const kinds = new AddressKinds(() => {
		looks++;
		return own;
	});
	const allow = Array.from({length: 1000}, (_, number) => parseRule(`n${number}.example.com`) as Rule);
	const policy = new Policy({closed: 'all', allow, kinds, clock: new ManualClock()});
	const names = new KnownNames(true);
	names.learn('n999.example.com', 'A', ['93.184.216.34']);
	const attempt = {guest: 'web', protocol: 'tcp', name: undefined, address: '93.184.216.34', port: 80} as const;
	t.deepEqual(await policy.connection(attempt, names), {kind: 'allow'});
	t.is(looks, 1);
	own.push('93.184.216.34');
	t.is((await policy.connection(attempt, names)).kind, 'refuse');
	await policy.connection({...attempt, address: '127.0.0.1'}, names);
	t.is(looks, 2, 'the host itself is known without');
});

test('a reason that never ends is kept short', async (t) => {
	const details: string[] = [];
	const policy = new Policy({
		closed: 'all',
		allow: [],
		clock: new ManualClock(),
		decided: ({detail}) => void details.push(detail),
		connect: () => ({kind: 'refuse', reason: 'no'.repeat(2 ** 20)}),
	});
	const attempt = {guest: 'web', protocol: 'tcp', name: undefined, address: '93.184.216.34', port: 80} as const;
	await policy.connection(attempt, new KnownNames(true));
	t.is(details[0]?.length, 1024);
});

test('ends that a program redirects to one place answer each for itself', async (t) => {
	const echo = await udpServer(t, (message) => message);
	const connect = () => ({kind: 'redirect', address: '127.0.0.1', port: echo.port}) as const;
	const guest = new TestGuest(makeNetwork({closed: 'all', allow: [], connect}).network);
	for (const address of ['93.184.216.1', '93.184.216.2', '93.184.216.1']) {
		guest.udp(address, 5000, 53, address);
		t.is((await guest.nextUdp(5000)).source, address);
	}
	guest.endpoint.dispose();
});
