import test, {type ExecutionContext} from 'ava';
import {be32} from './testing/frames.ts';
import {makeNetwork} from './testing/make-network.ts';
import {TcpClient, usualOptions} from './testing/tcp-client.ts';
import {tcpServer} from './testing/tcp-server.ts';
import {TestGuest} from './testing/test-guest.ts';

const mss = 1460;

/** A guest that has been sent so many segments, and has acknowledged none. All it says and is told of is counted in segments. */
async function sent(t: ExecutionContext, segments: number, options: readonly number[] = usualOptions) {
	const server = await tcpServer(t);
	const {network, clock} = makeNetwork({ipv6: false});
	const guest = new TestGuest(network);
	t.teardown(() => guest.endpoint.dispose());
	const client = new TcpClient(guest, '127.0.0.1', server.port);
	await client.connect(options);
	const host = await server.accepted();
	const first = client.expected;
	const at = (segment: number) => (first + segment * mss) >>> 0;
	const data = Buffer.from(Array.from({length: segments * mss}, (_, i) => (i * 7919) % 251));
	host.write(data);
	for (let have = 0; have < data.length; ) have += (await client.next((tcp) => tcp.data.length > 0)).data.length;
	/** What has come since, as the first segment and their count; its bytes are right. */
	const came = () =>
		guest.frames.splice(0).flatMap(({tcp}) => {
			if (tcp === undefined || tcp.data.length === 0) return [];
			const offset = (tcp.sequence - first) >>> 0;
			t.true(tcp.data.equals(data.subarray(offset, offset + tcp.data.length)));
			return [[offset / mss, tcp.data.length / mss]];
		});
	/** Acknowledges all until a segment, and says what has come behind that. */
	const ack = (until: number, ...blocks: readonly (readonly [number, number])[]) => {
		const ranges = blocks.flatMap(([from, to]) => [...be32(at(from)), ...be32(at(to))]);
		client.ack({
			acknowledgment: at(until),
			options: blocks.length > 0 ? [1, 1, 5, 2 + ranges.length, ...ranges] : [],
		});
	};
	const {counters} = guest.endpoint as unknown as {counters: Record<string, number>};
	return {client, host, guest, clock, came, ack, counters, first};
}

test('what a guest says is missing is sent again, and nothing else', async (t) => {
	const {came, ack, counters, host, client, first} = await sent(t, 20);
	ack(0, [13, 20], [7, 12], [1, 5]);
	t.deepEqual(came(), [
		[0, 1],
		[5, 2],
		[12, 1],
	]);
	t.is(counters['tcpRepeated'], 3);
	ack(0, [13, 20], [7, 12], [1, 5]);
	ack(5, [13, 20], [7, 12]);
	ack(12, [13, 20]);
	t.deepEqual(came(), [], 'it is under way');
	ack(20);
	host.write('on');
	client.expected = (first + 20 * mss) >>> 0;
	t.is((await client.take(2)).toString(), 'on');
	t.is(counters['tcpRepeated'], 3);
});

test('one segment that comes late is no loss; three more behind it are', async (t) => {
	const {came, ack} = await sent(t, 10);
	ack(0, [1, 2]);
	ack(0, [1, 3]);
	t.deepEqual(came(), []);
	ack(0, [1, 4]);
	t.deepEqual(came(), [[0, 1]]);
	// What is behind all that has come may still be under way.
	ack(0, [1, 5]);
	t.deepEqual(came(), []);
	// What was sent before the repeat that has come now has come too, or is lost.
	ack(5, [6, 9]);
	t.deepEqual(came(), [
		[5, 1],
		[9, 1],
	]);
});

test('what may come late is waited for a moment, and not for the timer', async (t) => {
	const {came, ack, clock} = await sent(t, 10);
	clock.pass(8);
	ack(0, [1, 3]);
	t.deepEqual(came(), []);
	clock.pass(1);
	t.deepEqual(came(), [[0, 1]]);
	clock.pass(1);
	ack(10);
	t.deepEqual(came(), []);
});

test('a repeat that is lost too is sent again when something has come that was sent after it', async (t) => {
	const {came, ack, clock, host, guest} = await sent(t, 10);
	clock.pass(8);
	ack(0, [1, 8]);
	t.deepEqual(came(), [[0, 1]]);
	clock.pass(1);
	host.write(Buffer.alloc(mss));
	while (guest.frames.length === 0) await new Promise(setImmediate);
	guest.frames.length = 0;
	clock.pass(8);
	ack(0, [1, 11]);
	t.deepEqual(came(), [[0, 1]]);
});

test('a tail that is lost is asked for long before the timer, by its last segment', async (t) => {
	const {came, ack, clock, counters} = await sent(t, 10);
	clock.pass(9);
	t.deepEqual(came(), []);
	clock.pass(1);
	t.deepEqual(came(), [[9, 1]]);
	clock.pass(100);
	t.deepEqual(came(), [], 'once');
	// All before it is lost: half of it is sent at once.
	ack(0, [9, 10]);
	clock.pass(1);
	t.deepEqual(came(), [[0, 5]]);
	ack(5, [9, 10]);
	t.deepEqual(came(), [[5, 4]]);
	ack(10);
	clock.pass(60_000);
	t.deepEqual(came(), []);
	t.is(counters['tcpRepeated'], 3);
});

test('a recovery sends no more than half of what was under way at once', async (t) => {
	const {came, ack} = await sent(t, 40);
	// Every second segment is lost: sixteen of the first thirty-two.
	const blocks = Array.from({length: 16}, (_, index) => [2 * index + 1, 2 * index + 2] as const);
	for (let at = 0; at < blocks.length; at += 4) ack(0, ...blocks.slice(at, at + 4));
	const again = came();
	// Of twenty segments eight are those that may still come.
	t.deepEqual(
		again,
		Array.from({length: 12}, (_, index) => [2 * index, 1]),
	);
	ack(24, [25, 26], [27, 28], [29, 30], [31, 32]);
	t.deepEqual(
		came().slice(0, 4),
		[24, 26, 28, 30].map((lost) => [lost, 1]),
	);
});

test('a guest that drops what it had is sent it again when its time is over', async (t) => {
	const {came, ack, clock} = await sent(t, 10);
	ack(0, [1, 10]);
	t.deepEqual(came(), [[0, 1]]);
	clock.pass(60_000);
	t.true(came().length > 2, 'the first again and again');
	const all: number[] = [];
	for (let until = 1; until < 10; ) {
		ack(until);
		const next = came().flatMap(([from = 0, count = 0]) => Array.from({length: count}, (_, index) => from + index));
		all.push(...next);
		until = (next.at(-1) ?? 9) + 1;
	}
	t.deepEqual(all, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('what it still has after that is not', async (t) => {
	const {came, ack, clock} = await sent(t, 10);
	clock.pass(250);
	t.deepEqual(came(), [
		[9, 1],
		[0, 1],
	]);
	ack(1, [2, 6], [7, 10]);
	ack(1, [2, 6], [7, 10]);
	t.deepEqual(came(), [
		[1, 1],
		[6, 1],
	]);
	ack(6, [7, 10]);
	t.deepEqual(came(), []);
});

test('lies about what has come change nothing', async (t) => {
	const {came, ack, client, first} = await sent(t, 10);
	const lies = [
		[11, 12],
		[9, 11],
		[5, 4],
		[5, 5],
		[-3, 2],
		[0, 4],
		[-1_000_000, -999_999],
	] as const;
	for (let round = 0; round < 4; round++) for (const lie of lies) ack(0, lie);
	// Three acknowledgments that say nothing new are three of the same.
	t.deepEqual(came(), [[0, 1]]);
	for (const length of [0, 1, 2, 5, 255]) client.ack({options: [1, 1, 5, length]});
	client.ack({options: [5, 6, 1, 2, 3, 4, 5, 10]});
	t.deepEqual(came(), []);
	client.expected = (first + 10 * mss) >>> 0;
	client.ack();
	t.deepEqual(came(), []);
});

test('who has not offered it is not believed', async (t) => {
	const {came, ack} = await sent(t, 10, [2, 4, 0x05, 0xb4, 1, 3, 3, 7]);
	ack(0, [1, 3], [4, 6], [7, 10]);
	t.deepEqual(came(), []);
});
