import test, {type ExecutionContext} from 'ava';
import {KnownNames} from './policy/index.ts';
import {
	A,
	AAAA,
	addresses,
	CNAME,
	nameBytes,
	PTR,
	query,
	questionName,
	rcode,
	resolver,
	response,
	type TestRecord,
} from './testing/dns-messages.ts';
import {be16, mac, udpFrame} from './testing/frames.ts';
import {makeNetwork, type NetworkChoices} from './testing/make-network.ts';
import {TcpClient} from './testing/tcp-client.ts';
import {gatewayMac, TestGuest} from './testing/test-guest.ts';

function makeGuest(t: ExecutionContext, choices: NetworkChoices = {}) {
	const made = makeNetwork(choices);
	const guest = new TestGuest(made.network, {name: 'web'});
	t.teardown(() => guest.endpoint.dispose());
	const ask = async (message: Uint8Array) => {
		guest.udp('10.0.0.1', 5000, 53, message);
		return (await guest.nextUdp(5000)).data;
	};
	return {...made, guest, ask};
}

test('questions are handed on, by UDP and in full by TCP', async (t) => {
	const long = Array.from({length: 60}, (_, i): TestRecord => ({name: 'big.test', type: A, data: `203.0.113.${i}`}));
	const host = await resolver(t, (message, isTcp) => {
		const answer = response(message, isTcp ? long : []);
		if (!isTcp) answer.writeUInt8(0x83, 2);
		return answer;
	});
	const {guest, ask} = makeGuest(t, {nameservers: [host.address]});
	const short = await ask(query('big.test'));
	t.is(short.readUInt16BE(0), 0x4242);
	t.is((short[2] as number) & 2, 2, 'cut short');
	const client = new TcpClient(guest, '10.0.0.1', 53);
	await client.connect();
	const message = query('big.test');
	client.send(Buffer.from([...be16(message.length), ...message.subarray(0, 5)]));
	client.send(message.subarray(5));
	const begun = await client.take(2);
	const left = begun.readUInt16BE(0) + 2 - begun.length;
	const answer = Buffer.concat([begun, left > 0 ? await client.take(left) : begun.subarray(0, 0)]).subarray(2);
	t.is(addresses(answer).length, 60);
	t.deepEqual(host.asked, ['big.test', 'tcp big.test']);
});

test('a resolver that says nothing is followed by the next; none is a failure', async (t) => {
	const silent = await resolver(t, () => undefined);
	const host = await resolver(t, (message) => response(message, [{name: 'a.test', type: A, data: '203.0.113.1'}]));
	const {ask, clock} = makeGuest(t, {nameservers: [silent.address, host.address]});
	const answer = ask(query('a.test'));
	while (silent.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
	clock.pass(3000);
	t.deepEqual(addresses(await answer), ['203.0.113.1']);
	t.is(rcode(await makeGuest(t).ask(query('a.test'))), 2);
});

test('an answer of somebody else, or to something else, is none', async (t) => {
	let turn = 0;
	const host = await resolver(t, (message) => {
		turn++;
		const answer = response(message, [{name: 'a.test', type: A, data: '203.0.113.1'}]);
		if (turn === 1) answer.writeUInt16BE(answer.readUInt16BE(0) ^ 1, 0);
		if (turn === 2) answer.write('b', 13, 'latin1');
		return answer;
	});
	const {ask, clock} = makeGuest(t, {nameservers: [host.address, host.address, host.address]});
	const answer = ask(query('a.test'));
	for (const turns of [1, 2]) {
		while (turn < turns) await new Promise((resolve) => setImmediate(resolve));
		await new Promise((resolve) => setTimeout(resolve, 20));
		clock.pass(3000);
	}
	t.deepEqual(addresses(await answer), ['203.0.113.1']);
});

test('the network has names of its own, of machines and of the gateway', async (t) => {
	const {ask, network} = makeGuest(t);
	const other = new TestGuest(network, {name: 'db', number: 2});
	t.teardown(() => other.endpoint.dispose());
	t.deepEqual(addresses(await ask(query('DB.internal'))), ['10.0.0.3']);
	t.deepEqual(addresses(await ask(query('web'))), ['10.0.0.2']);
	t.deepEqual(addresses(await ask(query('gateway.internal'))), ['10.0.0.1']);
	t.deepEqual(addresses(await ask(query('gateway.internal', AAAA))), ['fd4f70656e5600000000000000000001']);
	t.deepEqual(addresses(await ask(query('db.internal', AAAA))), []);
	const pointer = await ask(query('3.0.0.10.in-addr.arpa', PTR));
	t.true(pointer.includes(Buffer.from(nameBytes('db.internal'))));
	const digits = [...'fd4f70656e5600000000000000000001'].toReversed().join('.');
	t.true((await ask(query(`${digits}.ip6.arpa`, PTR))).includes(Buffer.from(nameBytes('gateway.internal'))));
});

test('a machine’s name has the address of IPv6 that DHCPv6 has lent it, until it gives that back', async (t) => {
	const {ask, network} = makeGuest(t);
	const db = new TestGuest(network, {name: 'db', number: 2});
	t.teardown(() => db.endpoint.dispose());
	const server = [0, 2, 0, 10, 0, 3, 0, 1, ...mac(gatewayMac)];
	const wanted = [0, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
	const say = async (type: number, ...options: readonly number[]) => {
		const message = Uint8Array.from([type, 1, 2, 3, 0, 1, 0, 2, 7, 7, ...wanted, ...options]);
		db.send(udpFrame(db.to('ff02:0:0:0:0:0:1:2', 'fe80:0:0:0:0:0:0:9'), 546, 547, message));
		return (await db.nextUdp(546)).data[0];
	};
	const known = async () => addresses(await ask(query('db.internal', AAAA)));
	const digits = [...'fd4f70656e560000000000000a000003'].toReversed().join('.');
	const pointer = query(`${digits}.ip6.arpa`, PTR);
	t.is(await say(1), 2);
	t.deepEqual(await known(), [], 'it was offered');
	t.is(await say(3, ...server), 7);
	t.deepEqual(await known(), ['fd4f70656e560000000000000a000003']);
	t.deepEqual(addresses(await ask(query('db.internal'))), ['10.0.0.3']);
	t.true((await ask(pointer)).includes(Buffer.from(nameBytes('db.internal'))));
	t.is(await say(8, ...server), 7);
	t.deepEqual(await known(), []);
	t.false((await ask(pointer)).includes(Buffer.from(nameBytes('db.internal'))));
});

test('what is no question is answered by a code, or not at all', async (t) => {
	const {guest, ask} = makeGuest(t);
	const good = query('a.test');
	const isResponse = Buffer.from(good);
	isResponse[2] = 0x81;
	for (const message of [Buffer.alloc(0), good.subarray(0, 11), isResponse]) guest.udp('10.0.0.1', 5000, 53, message);
	t.deepEqual(guest.frames, []);
	const update = Buffer.from(good);
	update[2] = 0x28;
	t.is(rcode(await ask(update)), 4);
	const none = Buffer.from(good);
	none[5] = 0;
	const pointed = Buffer.from([...good.subarray(0, 12), 0xc0, 12, 0, 1, 0, 1]);
	const endless = Buffer.from([...good.subarray(0, 12), ...new Array(400).fill([1, 65]).flat(), 0, 0, 1, 0, 1]);
	for (const message of [none, pointed, endless, good.subarray(0, 12), good.subarray(0, 15), good.subarray(0, -1)])
		t.is(rcode(await ask(message)), 1);
});

test('where names decide, those that no rule has are refused, and a name keeps what it had first', async (t) => {
	let address = '93.184.216.34';
	const host = await resolver(t, (message) => response(message, [{name: 'a.example', type: A, data: address}]));
	const {ask} = makeGuest(t, {closed: 'all', allow: ['a.example:443', '*.cdn.example'], nameservers: [host.address]});
	t.deepEqual(addresses(await ask(query('A.Example'))), ['93.184.216.34']);
	address = '93.184.216.99';
	t.deepEqual(addresses(await ask(query('a.example'))), ['93.184.216.34']);
	for (const name of ['example', 'b.a.example', 'secret-data.evil.test', 'cdn.example', 'xcdn.example'])
		t.is(rcode(await ask(query(name))), 5);
	t.deepEqual(host.asked, ['A.Example']);
});

test('a dot inside a label is no dot', async (t) => {
	const host = await resolver(t, (message) => response(message, []));
	const {ask} = makeGuest(t, {closed: 'all', allow: ['*.good.example'], nameservers: [host.address]});
	const strange = Buffer.from([
		...query('x').subarray(0, 12),
		14,
		...Buffer.from('evil.test.good'),
		7,
		...Buffer.from('example'),
		0,
		0,
		1,
		0,
		1,
	]);
	t.is(rcode(await ask(strange)), 5);
	t.deepEqual(host.asked, []);
});

test('aliases are followed; what else an answer has is nobody’s', async (t) => {
	const records: TestRecord[] = [
		{name: 'www.a.example', type: CNAME, data: 'edge.cdn.test'},
		{name: 'edge.cdn.test', type: A, data: '93.184.216.1'},
		{name: 'other.test', type: A, data: '93.184.216.2'},
	];
	const host = await resolver(t, (message) => response(message, records));
	const {ask} = makeGuest(t, {closed: 'all', allow: ['www.a.example'], nameservers: [host.address]});
	t.deepEqual(addresses(await ask(query('www.a.example'))), ['93.184.216.1']);
});

test('aliases that go round, and answers that are none, are failures', async (t) => {
	let turn = 0;
	const host = await resolver(t, (message) => {
		if (turn++ > 0)
			return Buffer.concat([response(message, [{name: 'a.example', type: A, data: '1.2.3.4'}]).subarray(0, -8)]);
		return response(message, [{name: 'a.example', type: CNAME, data: 'a.example'}]);
	});
	const {ask} = makeGuest(t, {closed: 'all', allow: ['a.example', 'b.example'], nameservers: [host.address]});
	t.deepEqual(addresses(await ask(query('a.example'))), []);
	t.is(rcode(await ask(query('b.example'))), 2);
});

test('a name that leads to what is closed leads nowhere (rebinding)', async (t) => {
	const at: Record<string, string> = {
		'x.example': '169.254.169.254',
		'y.example': '10.1.2.3',
		'z.example': '127.0.0.1',
	};
	const host = await resolver(t, (message) => {
		const name = questionName(message);
		return response(message, [{name, type: A, data: at[name] as string}]);
	});
	const {ask, decisions} = makeGuest(t, {closed: 'all', allow: ['*.example'], nameservers: [host.address]});
	for (const name of Object.keys(at)) t.is(rcode(await ask(query(name))), 5);
	t.deepEqual(
		decisions.flatMap(({kind, address}) => (kind === 'refuse' ? [address] : [])),
		['169.254.169.254', '10.1.2.3', '127.0.0.1'],
	);
});

/** Asks by a connection, whose answers may be long. */
async function askByTcp(guest: TestGuest, message: Uint8Array, port: number): Promise<Buffer> {
	const client = new TcpClient(guest, '10.0.0.1', 53, port);
	await client.connect();
	client.send(Buffer.from([...be16(message.length), ...message]));
	const begun = await client.take(2);
	const left = begun.readUInt16BE(0) + 2 - begun.length;
	return Buffer.concat([begun, left > 0 ? await client.take(left) : Buffer.alloc(0)]).subarray(2);
}

test('a name with many addresses has as many as it keeps, of those that are looked at', async (t) => {
	const [open, closed] = [(index: number) => `93.184.216.${index}`, (index: number) => `169.254.0.${index}`];
	const kinds: Record<string, (index: number) => string> = {
		'many.example': open,
		'near.example': (index) => (index < 63 ? closed(index) : open(index)),
		'far.example': (index) => (index < 64 ? closed(index) : open(index)),
	};
	const host = await resolver(t, (message) => {
		const name = questionName(message);
		const addressOf = kinds[name] as (index: number) => string;
		return response(
			message,
			Array.from({length: 100}, (_, index) => ({name, type: A, data: addressOf(index)})),
		);
	});
	const {guest, ask} = makeGuest(t, {closed: 'all', allow: ['*.example'], nameservers: [host.address]});
	const told = addresses(await askByTcp(guest, query('many.example'), 40_000));
	t.deepEqual(
		told,
		Array.from({length: 32}, (_, index) => open(index)),
	);
	t.deepEqual(addresses(await askByTcp(guest, query('many.example'), 40_001)), told);
	t.deepEqual(addresses(await ask(query('near.example'))), [open(63)]);
	t.is(rcode(await ask(query('far.example'))), 5);
});

test('questions that wait are bounded', async (t) => {
	const host = await resolver(t, () => undefined);
	const {guest} = makeGuest(t, {nameservers: [host.address]});
	for (let id = 0; id < 65; id++) guest.udp('10.0.0.1', 5000, 53, query('slow.test', A, id));
	const {data} = await guest.nextUdp(5000);
	t.deepEqual([data.readUInt16BE(0), rcode(data)], [64, 2]);
});

test('who asks by TCP and takes no answer is asked no more for questions', async (t) => {
	const long = Array.from(
		{length: 1000},
		(): TestRecord => ({name: 'big.test', type: PTR, data: `${'x'.repeat(30)}.test`}),
	);
	const host = await resolver(t, (message) => response(message, long));
	const {guest} = makeGuest(t, {nameservers: [host.address]});
	const client = new TcpClient(guest, '10.0.0.1', 53);
	await client.connect();
	client.window = 0;
	client.ack();
	const message = query('big.test', PTR);
	const bytes = response(message, long).length;
	for (let asked = 0; asked < 200; asked++) client.send(Buffer.from([...be16(message.length), ...message]));
	// What a connection holds for its guest, and what streams have besides.
	while (host.asked.length * bytes < 4 * 1024 * 1024) await new Promise((resolve) => setImmediate(resolve));
	for (let round = 0; round < 500; round++) await new Promise((resolve) => setImmediate(resolve));
	t.true(host.asked.length * bytes < 5 * 1024 * 1024, `${host.asked.length} questions, ${bytes} bytes each`);
});

test('a name that has other addresses each time takes no more memory for that', (t) => {
	const names = new KnownNames(false);
	const address = (number: number) => `2001:db8::${(number >> 16).toString(16)}:${(number & 0xffff).toString(16)}`;
	for (let asked = 0; asked < 3000; asked++)
		names.learn(
			'many.test',
			'AAAA',
			Array.from({length: 32}, (_, index) => address(asked * 32 + index)),
		);
	t.deepEqual(names.namesOf(address(0)), []);
	t.deepEqual(names.namesOf(address(3000 * 32 - 1)), ['many.test']);
	t.true(names.linked <= 65_536);
});
