import test from 'ava';
import {limitNodes, TokenBuckets} from '#devices/limits';
import {Frame, Segmentation} from '#devices/network/endpoint';
import {TestEndpoint, TestNic} from '#devices/network/testing';
import {FakeReactor} from '#devices/testing';
import {object, updateTree} from '#support/inspect';
import {NicBuckets, type NicLimits, nicLimitTable, RateLimit} from './index.ts';

/** A NIC and an endpoint with such limits between them, and time that is the test's. */
function limited(limits: NicLimits) {
	let nowNs = 0;
	const reactor = new FakeReactor();
	const share = NicBuckets.on(new SharedArrayBuffer(NicBuckets.byteLength));
	const [nic, endpoint] = [new TestNic(), new TestEndpoint()];
	const limit = new RateLimit(limits, share, reactor, () => nowNs);
	const seen = limit.seen(nic, () => wrapped);
	const wrapped = limit.wrap(endpoint, nic);
	wrapped.start();
	const pass = (ms: number) => {
		nowNs += ms * 1e6;
		reactor.turn(ms * 1e6);
	};
	return {share, nic, endpoint, seen, wrapped, pass, reactor};
}

const frameOf = (bytes: number): Frame => {
	const frame = new Frame(bytes);
	frame.become(bytes);
	return frame;
};

test('what a guest sends waits in its queue, and it is told when it may go on', (t) => {
	const {nic, endpoint, wrapped, pass, share} = limited({bps_tx: 10_000, bps_tx_burst: 1000});
	t.true(wrapped.send(frameOf(1500)), 'the first owes');
	t.false(wrapped.send(frameOf(100)));
	t.is(share.sentThrottled, 1);
	pass(40);
	t.is(nic.rooms, 0);
	pass(11);
	t.is(nic.rooms, 1);
	t.true(wrapped.send(frameOf(100)));
	t.is(endpoint.sent.length, 2);
});

test('directions have limits of their own, and one together', (t) => {
	const own = limited({pps_rx: 10, pps_rx_burst: 2, pps_tx: 10, pps_tx_burst: 1});
	t.deepEqual([own.wrapped.send(frameOf(60)), own.wrapped.send(frameOf(60))], [true, false]);
	t.deepEqual(
		[1, 2, 3].map(() => own.seen.receive(frameOf(60))),
		[true, true, false],
	);
	own.pass(101);
	t.true(own.endpoint.calls.includes('room'));
	t.true(own.seen.receive(frameOf(60)));
	const together = limited({pps: 10, pps_burst: 2});
	t.deepEqual([together.wrapped.send(frameOf(60)), together.seen.receive(frameOf(60))], [true, true]);
	t.deepEqual([together.wrapped.send(frameOf(60)), together.seen.receive(frameOf(60))], [false, false]);
});

test('what has no room at the other end costs nothing', (t) => {
	const {nic, endpoint, seen, wrapped, reactor} = limited({pps: 10, pps_burst: 1});
	nic.most = endpoint.most = 0;
	t.false(wrapped.send(frameOf(60)));
	t.false(seen.receive(frameOf(60)));
	t.is(reactor.timers.size, 0, 'whoever has no room says so');
	endpoint.most = 1;
	t.true(wrapped.send(frameOf(60), 2));
	const other = limited({pps: 10, pps_burst: 1});
	t.true(other.seen.receive(frameOf(60), 1));
	t.deepEqual([endpoint.sentBy, other.nic.receivedBy], [[2], [1]], 'pairs of queues');
});

test('a frame that is still to be cut is as many packets as it will be', (t) => {
	const {wrapped, pass} = limited({pps_tx: 10, pps_tx_burst: 10});
	const large = frameOf(54 + 14_600);
	Object.assign(large, {needsChecksum: true, checksumStart: 34, segmentation: Segmentation.TCP4, segmentBytes: 1460});
	t.true(wrapped.send(large));
	t.false(wrapped.send(frameOf(60)));
	pass(101);
	t.false(wrapped.send(frameOf(60)), 'it took eleven');
	pass(100);
	t.true(wrapped.send(frameOf(60)));
});

test('limits change while frames wait for them: what its owner takes away holds up none that comes', async (t) => {
	const {wrapped, seen, share} = limited({pps_tx: 1, pps_tx_burst: 1});
	t.deepEqual([wrapped.send(frameOf(60)), wrapped.send(frameOf(60))], [true, false]);
	const tree = object(() => limitNodes(new TokenBuckets(nicLimitTable, share, () => 0)));
	await updateTree(tree, 'pps_tx', '0');
	t.true(wrapped.send(frameOf(60)));
	await updateTree(tree, 'pps_rx', '1');
	t.deepEqual([seen.receive(frameOf(60)), seen.receive(frameOf(60))], [true, false]);
});

test('a machine that stops and goes on asks anew, and one that goes leaves nothing', (t) => {
	const {endpoint, seen, wrapped, reactor} = limited({pps: 1, pps_burst: 1});
	t.deepEqual([seen.receive(frameOf(60)), seen.receive(frameOf(60)), wrapped.send(frameOf(60))], [true, false, false]);
	wrapped.stop();
	wrapped.start();
	t.is(endpoint.calls.at(-1), 'room');
	t.false(wrapped.send(frameOf(60)));
	wrapped.dispose();
	t.is(reactor.timers.size, 0);
});
