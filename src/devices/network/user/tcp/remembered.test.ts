import test from 'ava';
import {ACK, RST} from '../testing/frames.ts';
import {makeNetwork} from '../testing/make-network.ts';
import {TcpClient} from '../testing/tcp-client.ts';
import {tcpServer} from '../testing/tcp-server.ts';
import {TestGuest} from '../testing/test-guest.ts';

/** Where it goes on: another network, which knows nothing of what was. */
const elsewhere = () => new TestGuest(makeNetwork().network);

test('a guest that goes on elsewhere is told of each connection that it had, which waits for nothing more', async (t) => {
	const {port, accepted} = await tcpServer(t);
	const guest = new TestGuest(makeNetwork().network);
	const client = new TcpClient(guest, '127.0.0.1', port);
	await client.connect();
	(await accepted()).write('some of it.');
	await client.take(10);
	guest.endpoint.stop();
	const remembered = guest.endpoint.remember(8192);
	const {expected} = client;
	guest.endpoint.dispose();
	const again = elsewhere();
	again.endpoint.recall(remembered);
	const [reset] = again.frames;
	t.like(reset?.tcp, {flags: RST | ACK, sourcePort: port, sequence: expected});
	t.is(reset?.source, '127.0.0.1');
	t.is(again.frames.length, 1);
});

test('what is remembered has a bound, and bytes of anybody’s do nothing but resets', async (t) => {
	const {port} = await tcpServer(t);
	const guest = new TestGuest(makeNetwork().network);
	t.is(guest.endpoint.remember(8192).length, 0);
	for (let count = 0; count < 3; count++) await new TcpClient(guest, '127.0.0.1', port, 40_000 + count).connect();
	const all = guest.endpoint.remember(8192);
	t.is(guest.endpoint.remember(all.length - 1).length, (all.length / 3) * 2);
	guest.endpoint.dispose();
	const again = elsewhere();
	for (const bytes of [all.subarray(0, 51), all.map(() => 0), all.map(() => 255)]) again.endpoint.recall(bytes);
	t.is(again.frames.length, 0);
	again.hasRoom = false;
	again.endpoint.recall(all);
	t.is(again.frames.length, 0);
	again.hasRoom = true;
	again.endpoint.room();
	for (let count = 0; count < 3; count++) t.like((await again.next()).tcp, {flags: RST | ACK, sourcePort: port});
});
