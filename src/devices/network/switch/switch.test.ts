import test from 'ava';
import {type Frame, Segmentation} from '#devices/network/endpoint';
import {packet, TestNic} from '#devices/network/testing';
import {FakeReactor} from '#devices/testing';
import {noProgram} from '#support/rpc';
import {SwitchCounters, SwitchEndpoint} from './switch-endpoint.ts';
import {addressesPerPort, mostPorts, ringBytes, switchBytes} from './switch-memory.ts';

const everybody = new Uint8Array(6).fill(0xff);
const address = (number: number) => Uint8Array.of(2, 0, 0, 0, number >>> 8, number & 0xff);
const memory = () => new SharedArrayBuffer(SwitchCounters.byteLength);

/** A switch with ports, all of them on one thread, each with a NIC. */
class Lan {
	readonly common = new SharedArrayBuffer(switchBytes);
	readonly reactor = new FakeReactor();
	readonly ports: {nic: TestNic; endpoint: SwitchEndpoint; counters: ReturnType<typeof SwitchCounters.on>}[] = [];

	constructor(ports: number) {
		for (let port = 0; port < ports; port++) this.join();
	}

	join() {
		const nic = new TestNic();
		const own = memory();
		const host = {
			common: this.common,
			memory: own,
			offset: 0,
			reactor: this.reactor,
			program: noProgram,
			noticed() {},
			track: () => {},
		};
		const endpoint = new SwitchEndpoint({name: 'lan'}, nic, host);
		endpoint.start();
		const port = {nic, endpoint, counters: SwitchCounters.on(own, 0)};
		this.ports.push(port);
		return port;
	}

	send(port: number, frame: Frame): boolean {
		const done = this.ports[port]?.endpoint.send(frame) === true;
		this.reactor.turn();
		return done;
	}

	/** How many frames each has got since the last call. */
	get got(): number[] {
		return this.ports.map(({nic}) => nic.received.splice(0).length);
	}
}

const from = (sender: number, to: Uint8Array | number, length = 100): Frame =>
	packet({from: address(sender), to: typeof to === 'number' ? address(to) : to, payload: new Uint8Array(length)});

test('a frame goes to all until it is known who has its address, and then to that one alone', (t) => {
	const lan = new Lan(4);
	t.true(lan.send(0, from(10, 12)));
	t.deepEqual(lan.got, [0, 1, 1, 1]);
	lan.send(2, from(12, 10));
	t.deepEqual(lan.got, [1, 0, 0, 0]);
	lan.send(0, from(10, 12));
	t.deepEqual(lan.got, [0, 0, 1, 0]);
	lan.send(0, from(10, everybody));
	t.deepEqual(lan.got, [0, 1, 1, 1]);
	lan.send(1, from(11, 10));
	lan.send(3, from(10, 12));
	t.deepEqual(lan.got, [1, 0, 1, 0], 'an address moves with who sends from it');
	lan.send(1, from(11, 10));
	t.deepEqual(lan.got, [0, 0, 0, 1]);
	lan.send(3, from(10, 10));
	t.deepEqual(lan.got, [0, 0, 0, 0], 'nothing comes back');
});

test('what is still to be done to a frame goes with it, and each byte', (t) => {
	const lan = new Lan(2);
	const payload = Uint8Array.from({length: 60_000}, (_, index) => (index * 7) ^ (index >>> 3));
	const frame = packet({from: address(1), to: everybody, payload, partial: true});
	frame.segmentation = Segmentation.TCP4;
	frame.segmentBytes = 1448;
	// The ring comes around several times.
	for (let round = 0; round < 50; round++) {
		lan.send(0, frame);
		const [got] = lan.ports[1]?.nic.received.splice(0) ?? [];
		t.deepEqual(Buffer.from(got?.bytes ?? []), Buffer.from(frame.bytes.subarray(0, frame.length)));
		const {segmentation, segmentBytes, needsChecksum, checksumStart, checksumOffset} = frame;
		t.like(got, {segmentation, segmentBytes, needsChecksum, checksumStart, checksumOffset});
	}
});

test('a guest that never reads loses what is sent to it, and no other waits for it', (t) => {
	const lan = new Lan(3);
	lan.send(1, from(11, everybody));
	lan.send(2, from(12, everybody));
	const [, silent, other] = lan.ports;
	if (silent !== undefined) silent.nic.most = 0;
	const most = ringBytes / 1000;
	for (let count = 0; count < 2 * most; count++) t.true(lan.send(0, from(10, 11, 1000)));
	lan.send(0, from(10, 12));
	t.true((lan.ports[0]?.counters.lostThere ?? 0) > most / 2);
	t.is(other?.nic.received.length, 2);
	if (silent !== undefined) silent.nic.most = Number.POSITIVE_INFINITY;
	silent?.endpoint.room();
	for (let turn = 0; turn < 100; turn++) lan.reactor.turn();
	const kept = silent?.nic.received.length ?? 0;
	t.true(kept > 100 && kept < 2 * most, `${kept}`);
	lan.send(0, from(10, 11));
	t.is(silent?.nic.received.length, kept + 1, 'it is reached again');
});

test('a guest that sends without end leaves room for others', (t) => {
	const lan = new Lan(3);
	const taker = lan.ports[2];
	if (taker !== undefined) taker.nic.most = 0;
	lan.send(2, from(12, everybody));
	lan.got;
	for (let count = 0; count < 4000; count++) lan.send(0, from(10, 12, 1000));
	for (let count = 0; count < 100; count++) lan.send(1, from(11, 12, 1000));
	t.is(lan.ports[1]?.counters.lostThere, 0);
	if (taker !== undefined) taker.nic.most = Number.POSITIVE_INFINITY;
	taker?.endpoint.room();
	for (let turn = 0; turn < 100; turn++) lan.reactor.turn();
	t.is(taker?.nic.received.filter(({bytes}) => bytes[11] === 11).length, 100);
});

test('a guest that sends from many addresses pushes out its own alone', (t) => {
	const lan = new Lan(3);
	lan.send(1, from(11, everybody));
	for (let sender = 100; sender < 100 + 3 * addressesPerPort; sender++) lan.send(0, from(sender, everybody));
	lan.got;
	lan.send(2, from(12, 11));
	t.deepEqual(lan.got, [0, 1, 0]);
	lan.send(2, from(12, 100));
	t.deepEqual(lan.got, [1, 1, 0], 'the first has gone');
	lan.send(2, from(12, 99 + 3 * addressesPerPort));
	t.deepEqual(lan.got, [1, 0, 0]);
});

test('a port that has stopped or gone gets nothing, and another guest takes its place', (t) => {
	const lan = new Lan(2);
	lan.send(1, from(11, everybody));
	lan.ports[1]?.endpoint.stop();
	lan.got;
	lan.send(0, from(10, 11));
	lan.ports[1]?.endpoint.start();
	lan.reactor.turn();
	t.deepEqual(lan.got, [0, 0], 'what came meanwhile is lost');
	lan.send(0, from(10, 11));
	t.deepEqual(lan.got, [0, 1]);
	lan.ports[1]?.endpoint.stop();
	lan.ports[1]?.endpoint.dispose();
	const again = lan.join();
	t.is(again.counters.port, 2);
	lan.send(0, from(10, 11));
	t.deepEqual(lan.got, [0, 0, 1], 'nobody is known by that address now');
	for (const {endpoint} of lan.ports.filter((_, index) => index !== 1)) endpoint.dispose();
	t.is(lan.reactor.watches.size, 0);
});

test('a switch has so many ports, and no more', (t) => {
	const lan = new Lan(mostPorts);
	t.throws(() => lan.join(), {code: 'NETWORK_SWITCH_FULL'});
	for (const {endpoint} of lan.ports) endpoint.dispose();
});
