import {createHash, randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {createServer, get, type IncomingMessage, type ServerResponse} from 'node:http';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {Duplex} from 'node:stream';
import {buffer} from 'node:stream/consumers';
import {isDeepStrictEqual} from 'node:util';
import type {ExecutionContext} from 'ava';
import type {Attempt, ConnectFunction} from '#devices/network/user';
import {A, questionName, questionType, resolver, response, truncated} from '#devices/network/user/testing';
import type {VmOptions} from '#main/config';
import type {CreateOptions} from '#main/vm';
import {flagged, linuxTest, runInLinux, until, untilThere} from '#test/petri';
import {freePorts, onLoopback} from './testing/host-network.ts';
import {echoed, udpEchoProgram} from './testing/udp-programs.ts';

const body = randomBytes(3_000_000);
const md5 = (bytes: Uint8Array) => createHash('md5').update(bytes).digest('hex');
/** The network's prefix, of which the gateway's address is the first, and the one that a guest makes of its NIC's (RFC 4862, 5.5.3). */
const prefix6 = 'fd4f:7065:6e56::';
const ownAddress6 = `${prefix6}ff:fe00:1`;

/** A server on the host's loopback that gives a file, takes one, and holds what asks for `/wait` until it is told. */
async function serve(t: ExecutionContext) {
	const uploads: Buffer[] = [];
	const waiting = Promise.withResolvers<void>();
	const serveOne = async (request: IncomingMessage, response: ServerResponse) => {
		if (request.method === 'POST') uploads.push(await buffer(request));
		if (request.url === '/wait') await waiting.promise;
		const words: Readonly<Record<string, string>> = {'/wait': 'go on\n', '/where': `host=${request.headers.host}\n`};
		response.end(request.method === 'POST' ? 'taken\n' : (words[request.url ?? ''] ?? body));
	};
	const server = createServer((request, response) => void serveOne(request, response).catch(() => response.destroy()));
	return {port: await onLoopback(t, server), uploads, goOn: waiting.resolve};
}

/** What a web server says, and how it says it. */
async function fetched(port: number) {
	const [response] = (await once(get({host: '127.0.0.1', port, path: '/file', agent: false}), 'response')) as [
		IncomingMessage,
	];
	return {status: response.statusCode, sum: md5(await buffer(response))};
}

/**
 * A resolver whose owner has a name mean something else once it has been asked for, leads one to a cloud's secrets at once, and says one with many addresses
 * by TCP alone.
 */
function treacherousResolver(t: ExecutionContext) {
	const answered = new Set<string>();
	return resolver(t, (message, isTcp) => {
		const name = questionName(message);
		if (questionType(message) !== A) return response(message, []);
		if (name === 'big.example' && !isTcp) return truncated(message);
		const isFirst = !answered.has(name);
		answered.add(name);
		const many = Array.from({length: 40}, (_, index) => `93.184.217.${index + 1}`);
		const closed = ['169.254.169.254'];
		const known: Readonly<Record<string, readonly string[]>> = {
			'ok.example': isFirst ? ['93.184.216.20'] : closed,
			'secrets.example': closed,
			'big.example': many,
			'udp.example': ['93.184.216.53'],
		};
		return response(
			message,
			(known[name] ?? []).map((data) => ({name, type: A, data})),
		);
	});
}

/** Gives back all that a guest says, when it has said it. */
async function answerAll(stream: Duplex): Promise<void> {
	stream.end(await buffer(stream));
}

linuxTest('Linux gets an address by DHCP, names, files both ways and connections from the host', async (t, machine) => {
	const server = await serve(t);
	const names = await treacherousResolver(t);
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-decisions-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const decisions = join(folder, 'decisions.jsonl');
	const [hostPort, echoPort, echoPort6] = (await freePorts(3)) as [number, number, number];
	const nic = `consomme:10.0.0.0/24,name=web,guestfwd=tcp::80-127.0.0.1:${server.port},guestfwd=tcp:10.0.0.9:80-127.0.0.1:${server.port},hostfwd=tcp:127.0.0.1:${hostPort}-:7,hostfwd=udp:127.0.0.1:${echoPort}-10.0.0.2:7,hostfwd=udp:127.0.0.1:${echoPort6}-[${ownAddress6}]:7,ipv6=on,dns=${names.address},decisions=${decisions},mac=02:00:00:00:00:01`;
	const asked: Attempt[] = [];
	const connect: ConnectFunction = async (attempt) => {
		asked.push(attempt);
		const {protocol, name, address, port} = attempt;
		if (protocol === 'dns' && name !== 'closed.example') return {kind: 'allow'};
		if (protocol === 'udp' && port === 53) return {kind: 'redirect', address: '127.0.0.1', port: names.port};
		const isServed = name === 'ok.example' || name === 'big.example';
		if (isServed && port === 80) return {kind: 'redirect', address: '127.0.0.1', port: server.port};
		if (address === '93.184.216.7' && port === 80) return {kind: 'redirect', address: '127.0.0.1', port: server.port};
		if (address !== '93.184.216.8') return {kind: 'refuse', reason: 'the test has nothing there'};
		return {kind: 'answer', answer: (stream) => void answerAll(stream)};
	};
	const devices = flagged({'virtio-net': [nic]}).map(({options = {}, ...device}) => {
		const {endpoint} = options as {endpoint?: object};
		return {...device, options: {...options, ...(endpoint && {endpoint: {...endpoint, connect}})}};
	});
	const refused: unknown[] = [];
	const heard = Promise.withResolvers<void>();
	const deviceNoticed: CreateOptions['deviceNoticed'] = ({
		device,
		level,
		details: {guest: name, mac, address, port},
	}) => {
		if (level !== 'info') return;
		refused.push([device, name, mac, address, port]);
		if (port === 81) heard.resolve();
	};
	const make = (options: VmOptions) => machine(options, {deviceNoticed});
	const guest = await runInLinux(make, {processors: {count: 2}, devices}, [
		'modprobe -a virtio_mmio virtio_net',
		untilThere('/sys/class/net/eth0'),
		'ip link set lo up; ip link set eth0 up',
		`(echo '#!/bin/sh'; echo '[ $1 = bound ] || exit 0; ip addr add $ip/$mask dev $interface; ip route add default via $router; echo bound=$ip,$mask,$router,$dns,$hostname,$domain,$mtu') >/dhcp`,
		'chmod +x /dhcp',
		until('udhcpc -i eth0 -n -q -s /dhcp 2>&1'),
		// By the router's advertisement, without a word from anybody here.
		`${until(`ip addr show dev eth0 | grep -q 'inet6 ${ownAddress6}/64 scope global'`)}; echo address6=own`,
		"ip -6 route | grep -q '^default via fe80::5055:aff:fe00:1 ' && echo route6=ok",
		'ping -c 2 -W 60 10.0.0.1 >/dev/null && echo ping4=ok',
		// The address is nobody's until the kernel has looked for somebody else who has it.
		`${until(`ping6 -c 1 -W 60 ${prefix6}1 >/dev/null 2>&1`)}; echo ping6=ok`,
		'ping -c 2 -s 20000 -W 60 10.0.0.1 >/dev/null && echo fragments=ok',
		'for n in gateway web; do nslookup $n.internal 10.0.0.1; done 2>&1 | sed -n s/^Address:/name=/p',
		'sum() { echo $1=$(md5sum | cut -c -32); }',
		'wget -q -O /file http://10.0.0.1/ && sum four </file',
		`wget -q -O - http://[${prefix6}1]/ | sum six`,
		'wget -q -O - http://10.0.0.9/ | sum link',
		// It ends its side when all is sent, and has the answer all the same.
		`(printf 'POST / HTTP/1.0\\r\\nContent-Length: ${body.length}\\r\\n\\r\\n'; cat /file) | nc 10.0.0.1 80 | tail -1`,
		'wget -q -O - http://93.184.216.7/ | sum redirected',
		'echo nameserver 10.0.0.1 >/etc/resolv.conf',
		// The resolver has had it mean something else meanwhile.
		'for n in 1 2; do wget -q -O - http://ok.example/where; done',
		'wget -q -O - http://big.example/where',
		'for n in closed secrets; do wget -q -O - http://$n.example/where || echo $n=refused; done',
		"nslookup udp.example 93.184.216.10 2>&1 | sed -n 's/^Address.*: *93.184.216.53/udp=redirected/p'",
		'(echo question; cat /file) | nc 93.184.216.8 7 | sum answered',
		'nc 93.184.216.9 80 </dev/null || echo refused=yes',
		'nc 169.254.169.254 80 </dev/null || echo metadata=closed',
		'nc 10.0.0.1 81 </dev/null || echo port=closed',
		`echo ${Buffer.from(udpEchoProgram(7)).toString('base64')} | base64 -d >/udp-echo && chmod +x /udp-echo && /udp-echo &`,
		'httpd -p 7 -h / && echo listening=now',
		'wget -q -O - http://10.0.0.1/wait',
		"dmesg | grep -v OPENVMM_RUN | grep -E 'csum|WARNING: CPU|BUG:|Call Trace'",
		'echo all=done; sleep 10000',
	]);
	await guest.waitFor(/^listening=now\r?$/m);
	for (const each of await Promise.all([1, 2, 3].map(() => fetched(hostPort))))
		t.deepEqual(each, {status: 200, sum: md5(body)});
	t.is(`${await echoed(t, echoPort, 'by IPv4')}`, 'by IPv4');
	t.is(`${await echoed(t, echoPort6, 'by IPv6')}`, 'by IPv6');
	server.goOn();
	await guest.waitFor(/^all=done\r?$/m);
	const said = (line: string) => t.regex(guest.output, new RegExp(`^${line}\\r?$`, 'm'), `${line}: ${guest.output}`);
	said('bound=10\\.0\\.0\\.2,24,10\\.0\\.0\\.1,10\\.0\\.0\\.1,web,internal,1500');
	for (const each of [
		'ping4=ok',
		'address6=own',
		'route6=ok',
		'ping6=ok',
		'fragments=ok',
		'name= 10.0.0.1',
		'name= 10.0.0.2',
	])
		said(each);
	for (const from of ['four', 'six', 'link', 'redirected']) said(`${from}=${md5(body)}`);
	said(`answered=${md5(Buffer.concat([Buffer.from('question\n'), body]))}`);
	const decided = (address: string, port: number) => ({guest: 'web', protocol: 'tcp', name: undefined, address, port});
	const withoutName = asked.filter(({protocol, name}) => protocol === 'tcp' && name === undefined);
	t.deepEqual(withoutName as unknown[], [
		decided('93.184.216.7', 80),
		decided('93.184.216.8', 7),
		decided('93.184.216.9', 80),
		decided('169.254.169.254', 80),
	]);
	t.deepEqual(guest.output.match(/^host=\S+/gm), ['host=ok.example', 'host=ok.example', 'host=big.example']);
	const ends = asked.filter(({protocol, name}) => protocol === 'tcp' && name !== undefined);
	const told = ends.map(({name, address}) => `${name} ${address?.replace(/\d+$/, '')}`);
	t.deepEqual(told, ['ok.example 93.184.216.', 'ok.example 93.184.216.', 'big.example 93.184.217.']);
	t.true(names.asked.includes('tcp big.example'));
	t.false(
		names.asked.some((name) => name.includes('closed')),
		'a name that is refused gets to nobody',
	);
	await heard.promise;
	const isRefused = ['93.184.216.9 80', '169.254.169.254 80', '10.0.0.1 81'].map((end) => {
		const [address, port] = end.split(' ');
		return ['virtio-net-mmio', 'web', '02:00:00:00:00:01', address, Number(port)];
	});
	// A guest may try more than its script: each time is told.
	for (const each of isRefused)
		t.deepEqual(
			refused.find((told) => isDeepStrictEqual(told, each)),
			each,
		);
	for (const each of ['closed=refused', 'secrets=refused', 'udp=redirected']) said(each);
	for (const each of ['refused=yes', 'taken', 'metadata=closed', 'port=closed', 'go on']) said(each);
	t.deepEqual(server.uploads.map(md5), [md5(body)]);
	// Those that somebody else than the program has made are in the file too.
	const lines = readFileSync(decisions, 'utf8')
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line));
	const kept = (what: string) =>
		lines.some(
			({decision, protocol, name, address, port}) =>
				what === [decision, protocol, name ?? address, ...(port === undefined ? [] : [port])].join(' '),
		);
	for (const what of [
		'redirect tcp 10.0.0.9 80',
		'redirect tcp 93.184.216.7 80',
		'answer tcp 93.184.216.8 7',
		'refuse tcp 10.0.0.1 81',
		'refuse tcp 169.254.169.254 80',
		'allow dns ok.example',
		'redirect tcp ok.example 80',
		'refuse dns closed.example',
		'refuse dns secrets.example',
		'redirect udp 93.184.216.10 53',
	])
		t.true(kept(what), what);
	t.notRegex(guest.output, /csum failure|WARNING: CPU|BUG:|Call Trace/);
	const counted = async (name: string) => Number(await guest.inspect(`vm/devices/virtio-net-mmio/consomme/${name}`));
	t.is(await counted('malformed'), 0);
});
