// Messages of the services, by themselves: nothing before them has thrown most of what is wrong away.
import {isIP} from 'node:net';
import {Duplex} from 'node:stream';
import test from 'ava';
import {seeded} from '#devices/virtio/testing';
import {type Asker, DnsServer, HostResolver} from './dns/index.ts';
import {addressesIn, answersQuestion, type DnsQuestion, readQuestion} from './dns/message.ts';
import {planOf} from './plan.ts';
import {AddressKinds, KnownNames, Policy} from './policy/index.ts';
import {answerDhcp, answerDhcpv6} from './services/index.ts';
import {A, AAAA, CNAME, query, response} from './testing/dns-messages.ts';
import {be16, be32} from './testing/frames.ts';
import {ManualClock} from './testing/manual-clock.ts';

const plan = planOf('10.0.0.0/24') as NonNullable<ReturnType<typeof planOf>>;
const rounds = 20_000;

/** Messages one after the other, each with some of its bytes changed, cut off, or repeated. */
function* mutated(seed: number, originals: readonly Uint8Array[]): Generator<Buffer> {
	const random = seeded(seed);
	for (let round = 0; round < rounds; round++) {
		let bytes = Buffer.from(originals[random(originals.length)] as Uint8Array);
		for (let changes = random(5); changes > 0; changes--)
			bytes[random(bytes.length)] = random(3) === 0 ? ([0, 1, 63, 64, 0xc0, 255][random(6)] as number) : random(256);
		if (random(4) === 0) bytes = bytes.subarray(0, random(bytes.length + 1));
		if (random(16) === 0) bytes = Buffer.concat([bytes, bytes.subarray(random(bytes.length + 1))]);
		yield bytes;
	}
}

test('a question of anything is one whose every byte was there, a code, or nothing', (t) => {
	const found = {questions: 0, codes: 0, none: 0};
	for (const message of mutated(1, [query('www.a.example'), query('x'.repeat(63), AAAA), query('')])) {
		const question = readQuestion(message);
		if (question === undefined) found.none++;
		else if (typeof question === 'number') found.codes++;
		else {
			found.questions++;
			t.true(question.bytes.length <= 259 && question.name.length <= 255);
			t.true(12 + question.bytes.length <= message.length);
			if (question.isPlain) t.regex(question.name, /^[a-z0-9_.-]+$/);
		}
	}
	for (const [what, count] of Object.entries(found)) t.true(count > 500, `${what}: ${count}`);
});

test('an answer of anything has addresses, or is none', (t) => {
	const asked = query('www.a.example');
	const question = readQuestion(asked) as DnsQuestion;
	const records = [
		{name: 'www.a.example', type: CNAME, data: 'edge.cdn.test'},
		{name: 'edge.cdn.test', type: A, data: '93.184.216.1'},
	];
	const found = {addresses: 0, none: 0, broken: 0, foreign: 0};
	for (const message of mutated(2, [
		response(asked, records),
		response(asked, records.slice(1)),
		response(asked, []),
	])) {
		if (!answersQuestion(message, question, 0x4242)) {
			found.foreign++;
			continue;
		}
		const addresses = addressesIn(message, question);
		if (addresses === undefined) found.broken++;
		else if (addresses.length === 0) found.none++;
		else found.addresses++;
		for (const address of addresses ?? []) t.is(isIP(address), 4);
	}
	for (const [what, count] of Object.entries(found)) t.true(count > 200, `${what}: ${count}`);
});

test('a stream of anything is answered by messages that are whole, and ends', async (t) => {
	const clock = new ManualClock();
	const descriptors = {take: () => false} as never;
	const policy = new Policy({closed: 'all', allow: [], clock, kinds: new AddressKinds(() => [])} as never);
	const own = {
		addressesOf: (name: string) => (name === 'a.internal' ? ['10.0.0.2'] : undefined),
		nameOf: () => undefined,
	};
	const server = new DnsServer(policy, new HostResolver(clock, descriptors, () => []), own);
	const asker: Asker = {name: 'it', names: new KnownNames(true), share: (total) => total};
	const framed = (message: Uint8Array) => Uint8Array.from([...be16(message.length), ...message]);
	let answers = 0;
	let streams = 0;
	for (const message of mutated(3, [framed(query('a.internal')), framed(query('b.example'))])) {
		if (++streams > 1000) break;
		const written: Buffer[] = [];
		const stream = new Duplex({
			read() {},
			write(chunk: Buffer, _encoding, done) {
				written.push(chunk);
				done();
			},
		});
		const served = server.serve(stream, asker).catch(() => undefined);
		stream.push(message);
		stream.push(framed(query('a.internal')));
		stream.push(null);
		await served;
		const all = Buffer.concat(written);
		let at = 0;
		for (; at + 2 <= all.length; at += 2 + all.readUInt16BE(at)) answers++;
		t.is(at, all.length);
		stream.destroy();
	}
	t.true(answers > 500, `${answers}`);
});

const mac = [0, 0x15, 0x5d, 0, 0, 1];
const dhcp = (...options: readonly number[]) =>
	Uint8Array.from([
		...[1, 1, 6, 0, ...be32(7), 0, 0, 0, 0, ...new Array(16).fill(0), ...mac, ...new Array(202).fill(0)],
		...[0x63, 0x82, 0x53, 0x63, ...options, 255],
	]);

test('a message of DHCP of anything has an answer that lends this guest’s address alone, or none', (t) => {
	const address = plan.guest(0) as Uint8Array;
	const lease = {plan, address, name: 'it', domain: 'internal', mtu: 1500};
	const originals = [
		dhcp(53, 1, 1),
		dhcp(53, 1, 3, 50, 4, ...address, 54, 4, ...plan.gateway),
		dhcp(53, 1, 8, 55, 3, 1, 3, 6),
	].map((message) => message.subarray(0));
	let [answers, none] = [0, 0];
	for (const message of mutated(4, originals)) {
		const answer = answerDhcp(message, lease);
		if (answer === undefined) {
			none++;
			continue;
		}
		answers++;
		t.true(answer.message.length >= 300 && answer.message.length <= 576);
		const yours = Buffer.from(answer.message.subarray(16, 20));
		t.true(yours.every((byte) => byte === 0) || yours.equals(address));
		t.is(answer.message[0], 2);
	}
	t.true(answers > 1000 && none > 1000, `${answers}, ${none}`);
});

test('a message of DHCPv6 of anything has an answer that is short, or none', (t) => {
	const address = new Uint8Array(16).fill(9);
	const client = [0, 1, 0, 4, 1, 2, 3, 4];
	const server = [0, 2, 0, 10, 0, 3, 0, 1, ...plan.mac];
	const wanted = [0, 3, 0, 12, 9, 8, 7, 6, ...new Array<number>(8).fill(0)];
	const originals = [
		[1, 1, 2, 3, ...client, ...wanted],
		[3, 1, 2, 3, ...client, ...server, ...wanted],
		[
			4,
			1,
			2,
			3,
			...client,
			0,
			3,
			0,
			40,
			...new Array<number>(12).fill(1),
			0,
			5,
			0,
			24,
			...new Array<number>(24).fill(0),
		],
		[11, 1, 2, 3, ...client],
	].map((bytes) => Uint8Array.from(bytes));
	let [answers, none] = [0, 0];
	for (const message of mutated(5, originals)) {
		const answer = answerDhcpv6(message, {plan, domain: 'internal', address})?.message;
		if (answer === undefined) none++;
		else {
			answers++;
			t.true(answer.length <= 512);
			t.deepEqual(answer.subarray(1, 4), Uint8Array.from(message.subarray(1, 4)), 'it is to this message');
		}
	}
	t.true(answers > 1000 && none > 1000, `${answers}, ${none}`);
});
