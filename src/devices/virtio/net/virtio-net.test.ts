import test from 'ava';
import {noOffloads, Segmentation} from '#devices/network/endpoint';
import {HeaderFlag} from '#devices/network/packet';
import {isSound, packet, payloadOf} from '#devices/network/testing';
import type {TransportName} from '#devices/virtio/testing';
import {netFeatures} from './features.ts';
import {NetStatus} from './layout.ts';
import {NetMachine} from './testing/net-machine.ts';

const transports: readonly TransportName[] = ['pci', 'mmio'];
const bytesOf = (length: number) => Uint8Array.from({length}, (_, index) => (index * 7) ^ (index >>> 3));
const plain = (length = 100) => packet({payload: bytesOf(length)});
const all = ['mergeable', 'guestChecksum', 'guestTcp4', 'guestTcp6', 'hostChecksum', 'hostTcp4', 'hostTcp6'] as const;
/** A TCP packet to be cut. */
function large(length: number, size = 1000, v6 = false) {
	const frame = packet({payload: bytesOf(length), partial: true, v6});
	frame.segmentation = v6 ? Segmentation.TCP6 : Segmentation.TCP4;
	frame.segmentBytes = size;
	return frame;
}

for (const transport of transports)
	test(`${transport}: a driver sees a NIC, sends a frame and gets one`, async (t) => {
		const nic = await NetMachine.open({transport, mtu: 9000});
		const {driver, endpoint, machine} = nic;
		const own = Object.entries(netFeatures).flatMap(([name, bit]) => (name === 'pairs' ? [] : [bit]));
		t.deepEqual(
			driver.offered.filter((bit) => bit < 24 || bit > 49),
			own.sort((a, b) => a - b),
		);
		t.is(machine.registers.readConfig(0, 4), 0x015d_1500);
		t.is(machine.registers.readConfig(4, 2), 0x0302);
		t.is(nic.status, NetStatus.LINK_UP);
		t.is(machine.registers.readConfig(10, 2), 9000);
		t.is(endpoint.nic.mtu, 9000);
		t.deepEqual([...endpoint.nic.mac], [0, 0x15, 0x5d, 1, 2, 3]);
		t.true(endpoint.nic.receive(plain()), 'nobody is there: it is lost');
		driver.begin([], 3);
		await nic.send(plain());
		t.deepEqual(
			endpoint.sent.map(({bytes}) => Buffer.from(bytes)),
			[Buffer.from(plain().bytes.subarray(0, plain().length))],
		);
		t.deepEqual(driver.used(1), [[0, 0]]);
		await nic.offerBuffers([2000]);
		machine.registers.takeInterrupts();
		t.true(endpoint.nic.receive(plain()));
		await machine.run();
		t.is(machine.registers.takeInterrupts(), 1);
		const [got] = nic.received();
		t.deepEqual(got?.bytes, Buffer.from(plain().bytes.subarray(0, plain().length)));
		t.is(got?.header.buffers, 1);
		const {sentFrames, receivedFrames, receivedDropped} = nic.counters;
		t.deepEqual([sentFrames, receivedFrames, receivedDropped], [1, 1, 1]);
		t.deepEqual(machine.failures, []);
	});

test('checksums and segments are left to an endpoint that takes them', async (t) => {
	const nic = await NetMachine.begin({features: all});
	await nic.send(large(5000));
	await nic.send(packet({partial: true, payload: bytesOf(99)}));
	const [first, second] = nic.endpoint.sent;
	t.deepEqual([first?.segmentation, first?.segmentBytes, first?.needsChecksum], [Segmentation.TCP4, 1000, true]);
	t.deepEqual([second?.needsChecksum, second?.checksumStart, second?.checksumOffset], [true, 34, 16]);
	t.is(nic.counters['sentFinished'], 0);
});

test('and are made for one that does not', async (t) => {
	const nic = await NetMachine.begin({features: all, takes: noOffloads});
	await nic.send(large(5000));
	await nic.send(packet({partial: true, payload: bytesOf(99)}));
	await nic.send(large(3000, 1400, true));
	const {sent} = nic.endpoint;
	t.is(sent.length, 5 + 1 + 3);
	t.true(sent.every((frame) => frame.isPlain && isSound(frame)));
	t.deepEqual(Buffer.concat(sent.slice(0, 5).map(payloadOf)), Buffer.from(bytesOf(5000)));
	t.deepEqual([nic.counters['sentFrames'], nic.counters['sentFinished']], [9, 3]);
});

test('a segment that is the only one is no segment', async (t) => {
	const nic = await NetMachine.begin({features: all});
	await nic.send(large(500));
	t.deepEqual([nic.endpoint.sent[0]?.segmentation, nic.endpoint.sent[0]?.needsChecksum], [Segmentation.NONE, true]);
});

test('a guest waits for an endpoint without room, and loses nothing: frames and segments', async (t) => {
	const nic = await NetMachine.begin({features: all, takes: noOffloads});
	const {endpoint} = nic;
	endpoint.most = 2;
	await nic.send(large(5000));
	await nic.send(plain());
	t.is(endpoint.sent.length, 2);
	t.deepEqual(nic.driver.used(1), [[0, 0]], "the second is still the guest's");
	for (const most of [3, 4]) {
		endpoint.most = most;
		endpoint.nic.room();
		await nic.machine.run();
		t.is(endpoint.sent.length, most);
	}
	endpoint.most = 99;
	endpoint.nic.room();
	await nic.machine.run();
	t.is(endpoint.sent.length, 6);
	t.deepEqual(Buffer.concat(endpoint.sent.slice(0, 5).map(payloadOf)), Buffer.from(bytesOf(5000)));
	t.is(nic.driver.used(1).length, 1);
});

test('a pause loses nothing of what waits for an endpoint', async (t) => {
	const nic = await NetMachine.begin({features: all, takes: noOffloads});
	const {endpoint, machine} = nic;
	endpoint.most = 1;
	await nic.send(large(3000));
	await machine.stop();
	machine.start();
	endpoint.most = 99;
	endpoint.nic.room();
	await machine.run();
	t.deepEqual(Buffer.concat(endpoint.sent.map(payloadOf)), Buffer.from(bytesOf(3000)));
});

test('a large frame lies in several buffers, which the driver sees together and is told of once', async (t) => {
	const nic = await NetMachine.begin({features: all});
	await nic.offerBuffers([1500, 1500, 3000, 1500]);
	nic.machine.registers.takeInterrupts();
	const before = nic.machine.interrupts.length;
	t.true(nic.endpoint.nic.receive(large(4000)));
	await nic.machine.run();
	const [got] = nic.received();
	t.is(got?.buffers, 3);
	t.deepEqual(got?.bytes, Buffer.from(large(4000).bytes.subarray(0, large(4000).length)));
	t.like(got?.header, {flags: HeaderFlag.NEEDS_CHECKSUM, segmentation: 1, segmentBytes: 1000, headerBytes: 54});
	t.like(got?.header, {checksumStart: 34, checksumOffset: 16});
	t.is(nic.machine.interrupts.slice(before).filter((each) => each.endsWith('up')).length, 1);
});

test('a frame waits until there are buffers for all of it', async (t) => {
	const nic = await NetMachine.begin({features: all});
	const {endpoint} = nic;
	t.false(endpoint.nic.receive(large(4000)), 'no buffers');
	await nic.offerBuffers([1500, 1500]);
	t.deepEqual(endpoint.calls, ['start', 'room']);
	t.false(endpoint.nic.receive(large(4000)), 'not enough');
	t.deepEqual(nic.received(), []);
	t.true(endpoint.nic.receive(plain(1000)));
	await nic.machine.run();
	t.is(nic.received().length, 1, 'those that it does not lie in are there for another');
	await nic.driver.notify(0);
	t.is(endpoint.calls.length, 3);
	t.is(nic.counters['receivedRefused'], 2);
});

test('a driver that does neither gets frames that are whole', async (t) => {
	const nic = await NetMachine.begin();
	await nic.offerBuffers([1600, 1600, 1600, 1600]);
	t.true(nic.endpoint.nic.receive(large(2500)));
	t.true(nic.endpoint.nic.receive(packet({partial: true, payload: bytesOf(70)})));
	await nic.machine.run();
	const got = nic.received();
	t.is(got.length, 4);
	t.true(got.every(({header}) => header.flags === 0 && header.segmentation === 0));
	const frames = got.map(({bytes}) => Object.assign(plain(), {length: bytes.length}) && asFrame(bytes));
	t.true(frames.every(isSound));
	t.deepEqual(Buffer.concat(frames.slice(0, 3).map(payloadOf)), Buffer.from(bytesOf(2500)));
});

function asFrame(bytes: Uint8Array) {
	const frame = packet();
	frame.bytes.set(bytes);
	frame.become(bytes.length);
	return frame;
}

test('segments that there is no room for are lost, when there was room for the first', async (t) => {
	const nic = await NetMachine.begin();
	await nic.offerBuffers([1600]);
	t.true(nic.endpoint.nic.receive(large(2500)));
	t.false(nic.endpoint.nic.receive(large(2500)));
	await nic.machine.run();
	t.is(nic.received().length, 1);
});

test('frames that no buffers could hold are lost, and so are buffers without room for a header', async (t) => {
	const short = await NetMachine.begin();
	await short.offerBuffers([64, 2000]);
	t.true(short.endpoint.nic.receive(plain(500)));
	t.true(short.endpoint.nic.receive(plain(500)));
	await short.machine.run();
	t.deepEqual(
		short.driver.used(0).map(([head, written]) => [head, written > 0]),
		[
			[0, false],
			[1, true],
		],
	);
	const merged = await NetMachine.begin({features: all});
	await merged.offerBuffers([4, 2000]);
	t.true(merged.endpoint.nic.receive(plain(500)));
	t.is(merged.counters['receivedWrong'], 1);
});

test('a frame that is longer than all buffers of a full queue is lost, and keeps no other waiting', async (t) => {
	const nic = await NetMachine.begin({features: all, queueSize: 8});
	await nic.offerBuffers(new Array<number>(8).fill(1500));
	t.true(nic.endpoint.nic.receive(plain(20_000)));
	t.is(nic.counters['receivedWrong'], 1);
	await nic.machine.run();
	nic.driver.used(0);
	await nic.offerBuffers(new Array<number>(8).fill(1500));
	t.true(nic.endpoint.nic.receive(plain(11_000)));
	await nic.machine.run();
	t.is(nic.received()[0]?.buffers, 8);
});

test('frames to be cut go to a driver that takes them as they are, under tags too', async (t) => {
	const udp = (v6: boolean) => {
		const frame = packet({payload: bytesOf(2000), partial: true, udp: true, vlan: 5, v6});
		frame.segmentation = Segmentation.UDP;
		frame.segmentBytes = 1000;
		return frame;
	};
	const nic = await NetMachine.begin({features: ['mergeable', 'guestChecksum', 'guestUdp4']});
	await nic.offerBuffers([3000, 3000, 3000]);
	for (const v6 of [false, true]) t.true(nic.endpoint.nic.receive(udp(v6)));
	await nic.machine.run();
	t.deepEqual(
		nic.received().map(({header}) => header.segmentation),
		[Segmentation.UDP, Segmentation.NONE, Segmentation.NONE],
	);
});

test('what is no frame, or lies, is counted and goes nowhere', async (t) => {
	const nic = await NetMachine.begin({features: all});
	const lies: readonly Readonly<Record<string, number>>[] = [
		{flags: 1, checksumStart: 90, checksumOffset: 100},
		{flags: 1, checksumStart: 0xffff, checksumOffset: 0xffff},
		{flags: 1, checksumStart: 2, checksumOffset: 16},
		{segmentation: 1},
		{flags: 1, checksumStart: 34, checksumOffset: 16, segmentation: 1, segmentBytes: 0},
		{flags: 1, checksumStart: 34, checksumOffset: 16, segmentation: 3, segmentBytes: 20},
		{flags: 1, checksumStart: 34, checksumOffset: 16, segmentation: 5, segmentBytes: 20},
		{flags: 1, checksumStart: 34, checksumOffset: 16, segmentation: 77, segmentBytes: 20},
	];
	for (const lie of lies) await nic.send(plain(), lie);
	const {driver} = nic;
	for (const length of [0, 3, 12, 25, 0x1_0100]) driver.offer([{at: 0x4_0000, length}], {queue: 1});
	await driver.notify(1);
	t.deepEqual(nic.endpoint.sent, []);
	t.is(nic.counters['sentWrong'], lies.length + 5);
	t.is(driver.used(1).length, lies.length + 5);
	for (const length of [0, 13, 0x1_0100]) t.true(nic.endpoint.nic.receive(Object.assign(plain(), {length})));
	t.is(nic.counters['receivedWrong'], 3);
	t.deepEqual(nic.machine.failures, []);
});

test('that somebody has looked at a checksum is nothing that a driver can say', async (t) => {
	const nic = await NetMachine.begin({features: all});
	await nic.send(plain(), {flags: HeaderFlag.IS_CHECKED});
	t.deepEqual(
		nic.endpoint.sent.map(({isChecked, needsChecksum}) => [isChecked, needsChecksum]),
		[[false, false]],
	);
});

test('the owner takes the link down and up while the driver runs, and the network does', async (t) => {
	const nic = await NetMachine.begin({features: ['status', ...all]});
	const {machine, endpoint} = nic;
	const command = async (up: boolean) => {
		machine.machine.control('it', {kind: 'link', up} as never);
		await machine.run();
	};
	await nic.offerBuffers([2000]);
	machine.registers.takeInterrupts();
	await command(false);
	t.is(nic.status, 0);
	t.is(machine.registers.takeInterrupts(), 2, 'configuration has changed');
	await nic.send(plain());
	t.true(endpoint.nic.receive(plain()));
	t.deepEqual([endpoint.sent.length, nic.received().length], [0, 0]);
	t.deepEqual([nic.counters['sentDropped'], nic.counters['receivedDropped']], [1, 1]);
	await command(true);
	t.is(nic.status, NetStatus.LINK_UP);
	await nic.send(plain());
	t.is(endpoint.sent.length, 1);
	endpoint.most = 1;
	await nic.send(plain());
	await command(false);
	endpoint.most = 99;
	endpoint.nic.room();
	await machine.run();
	await command(true);
	t.deepEqual([endpoint.sent.length, nic.counters['sentDropped']], [1, 2], 'what waited is lost with the link');
	await nic.send(plain());
	t.is(endpoint.sent.length, 2);
	endpoint.nic.carrier(false);
	t.is(nic.status, 0);
	await command(true);
	t.is(nic.status, 0, 'nobody is at the other end');
	endpoint.nic.carrier(true);
	t.is(nic.status, NetStatus.LINK_UP);
});

const modes = ['control', 'receiveModes', 'moreReceiveModes', 'vlanFilter', 'macAddress'] as const;
const [own, other, group] = [
	Uint8Array.of(0x00, 0x15, 0x5d, 1, 2, 3),
	Uint8Array.of(2, 0, 0, 0, 0, 7),
	Uint8Array.of(0x33, 0x33, 0, 0, 0, 1),
];
const everybody = new Uint8Array(6).fill(0xff);

test('a driver chooses what it gets: modes and a table of addresses', async (t) => {
	const nic = await NetMachine.begin({features: [...all, ...modes]});
	const wanted = async () => {
		await nic.offerBuffers([1500, 1500, 1500, 1500]);
		const untagged = [own, other, group, everybody];
		for (const to of untagged) t.true(nic.endpoint.nic.receive(packet({to})));
		await nic.machine.run();
		const got = nic
			.received()
			.map(({bytes}) => untagged.findIndex((to) => Buffer.compare(to, bytes.subarray(0, 6)) === 0));
		nic.driver.setUp(0);
		return got.join('');
	};
	// A queue that is set up anew begins anew: so does the driver each time.
	const again = async (...asked: readonly (readonly number[])[]) => {
		const fresh = await NetMachine.begin({features: [...all, ...modes]});
		for (const bytes of asked) t.is(await fresh.ask(...bytes), 0);
		await fresh.offerBuffers([1500, 1500, 1500, 1500]);
		for (const to of [own, other, group, everybody]) t.true(fresh.endpoint.nic.receive(packet({to})));
		await fresh.machine.run();
		return fresh
			.received()
			.map(
				({bytes}) =>
					'oxge'[[own, other, group, everybody].findIndex((to) => Buffer.compare(to, bytes.subarray(0, 6)) === 0)],
			)
			.join('');
	};
	t.is(await wanted(), '0123', 'all of it at first');
	t.is(await again([0, 0, 0]), 'oe');
	t.is(await again([0, 0, 0], [0, 1, 1]), 'oge');
	t.is(await again([0, 0, 0], [0, 2, 1]), 'oxe');
	t.is(await again([0, 0, 0], [0, 5, 1]), 'o');
	t.is(await again([0, 0, 0], [0, 4, 1]), 'e');
	t.is(await again([0, 0, 0], [0, 1, 1], [0, 3, 1]), 'oe');
	t.is(await again([0, 0, 0], [0, 0, 1]), 'oxge');
	t.is(await again([0, 0, 0], [1, 0, 1, 0, 0, 0, ...other, 1, 0, 0, 0, ...group]), 'oxge');
	t.is(await again([0, 0, 0], [1, 0, 1, 0, 0, 0, ...other, 0, 0, 0, 0]), 'oxe');
	t.is(
		await again([0, 0, 0], [1, 0, 65, 0, 0, 0, ...new Array<number>(65 * 6).fill(2), 0, 0, 0, 0]),
		'oxe',
		'too many: all',
	);
	t.is(await again([0, 0, 0], [1, 1, ...other]), 'xe', 'another address of its own');
});

test('a driver chooses its VLANs', async (t) => {
	const nic = await NetMachine.begin({features: [...all, ...modes]});
	const got = async (vlan: number | undefined) => {
		await nic.offerBuffers([1500]);
		const before = nic.counters['receivedFrames'] as number;
		t.true(nic.endpoint.nic.receive(packet({...(vlan !== undefined && {vlan})})));
		return (nic.counters['receivedFrames'] as number) > before;
	};
	t.deepEqual([await got(undefined), await got(5)], [true, true], 'all of it at first');
	t.is(await nic.ask(0, 0, 0), 0);
	t.deepEqual([await got(undefined), await got(5)], [true, false]);
	t.is(await nic.ask(2, 0, 5, 0), 0);
	t.deepEqual([await got(5), await got(0x1005), await got(6)], [true, true, false]);
	t.is(await nic.ask(2, 1, 5, 0), 0);
	t.false(await got(5));
	t.is(await nic.ask(2, 0, 0, 16), 1, 'there is no VLAN 4096');
	t.is(await nic.ask(0, 0, 1), 0);
	t.deepEqual([await got(undefined), await got(5)], [true, true], 'all frames');
	t.is(await nic.ask(0, 0, 0), 0);
	t.false(await got(5));
});

test('requests that are not whole, or of no feature, are refused', async (t) => {
	const nic = await NetMachine.begin({features: [...all, ...modes, 'guestOffloads']});
	for (const request of [
		[9, 0, 0],
		[0, 6, 1],
		[1, 0, 0, 0, 0],
		[1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0],
		[1, 0, 1, 0, 0, 0, ...other],
		[1, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
		[1, 1, 1, 2, 3],
		[1, 1, ...group],
		[1, 2, ...other],
		[2, 0, 1],
		[2, 2, 1, 0],
		[3, 0, 0],
		[4, 0, 1, 0],
		[5, 0, 0],
		[5, 0, 0, 0, 0, 0, 0, 0, 0, 1],
		[5, 1, 0, 0, 0, 0, 0, 0, 0, 0],
	])
		t.is(await nic.ask(...request), 1, request.join());
	t.deepEqual(nic.machine.failures, []);
});

test('a driver turns off what it does to frames, and on again', async (t) => {
	const nic = await NetMachine.begin({features: [...all, 'control', 'guestOffloads']});
	const flags = async () => {
		await nic.offerBuffers([1500, 1500, 1500]);
		nic.received();
		t.true(nic.endpoint.nic.receive(large(1500)));
		await nic.machine.run();
		return nic.received().map(({header}) => [header.flags, header.segmentation]);
	};
	t.deepEqual(await flags(), [[1, 1]]);
	t.is(await nic.ask(5, 0, 2, 0, 0, 0, 0, 0, 0, 0), 0);
	t.deepEqual(await flags(), [
		[2, 0],
		[2, 0],
	]);
	t.is(await nic.ask(5, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	t.deepEqual(await flags(), [
		[0, 0],
		[0, 0],
	]);
	t.is(await nic.ask(5, 0, 0x82, 1, 0, 0, 0, 0, 0, 0), 0);
	t.deepEqual(await flags(), [[1, 1]]);
	t.is(await nic.ask(5, 0, 0x80, 0, 0, 0, 0, 0, 0, 0), 0);
	t.deepEqual(
		await flags(),
		[
			[0, 0],
			[0, 0],
		],
		'who takes no checksums takes no segments',
	);
});

test('frames come by as many pairs of queues as the driver says, those of a flow by one', async (t) => {
	const nic = await NetMachine.begin({features: [...all, 'control', 'pairs'], queues: 4, queueSize: 32});
	t.is(nic.machine.registers.readConfig(8, 2), 4);
	const spread = async () => {
		for (let pair = 0; pair < 4; pair++) await nic.offerBuffers(new Array<number>(16).fill(1500), pair);
		for (let flow = 0; flow < 8; flow++)
			for (let times = 0; times < 2; times++) {
				const frame = packet();
				frame.view.setUint16(34, 5000 + 37 * flow);
				t.true(nic.endpoint.nic.receive(frame));
			}
		await nic.machine.run();
		return [0, 1, 2, 3].map((pair) => nic.received(pair).map(({bytes}) => Buffer.from(bytes).readUInt16BE(34)));
	};
	const [first, ...others] = await spread();
	t.deepEqual([first?.length, others.flat().length], [16, 0]);
	for (const wrong of [0, 5]) t.is(await nic.ask(4, 0, wrong, 0), 1);
	t.is(await nic.ask(4, 0, 4, 0), 0);
	const byPair = await spread();
	t.true(byPair.filter((ports) => ports.length > 0).length > 1);
	t.is(byPair.flat().length, 16);
	const pairsOf = (port: number) => byPair.filter((ports) => ports.includes(port)).length;
	t.true(byPair.flat().every((port) => pairsOf(port) === 1));
	await nic.send(plain(), {}, 3);
	t.is(nic.endpoint.sent.length, 1);
});

for (const vlan of [undefined, 5])
	for (const isCut of [false, true])
		test(`${isCut ? 'fragments' : 'frames'} of a flow come by one queue${vlan === undefined ? '' : ' in a VLAN'}, whatever numbers they have`, async (t) => {
			const nic = await NetMachine.begin({features: [...all, 'control', 'pairs'], queues: 4, queueSize: 32});
			t.is(await nic.ask(4, 0, 4, 0), 0);
			for (let pair = 0; pair < 4; pair++) await nic.offerBuffers(new Array<number>(16).fill(1500), pair);
			for (let number = 0; number < 16; number++) {
				const frame = packet({...(vlan !== undefined && {vlan})});
				const start = vlan === undefined ? 14 : 18;
				frame.view.setUint16(start + 4, number);
				frame.view.setUint16(start + 10, number * 0x1234);
				if (isCut) {
					// The first has the ports; the last has none behind it.
					frame.view.setUint16(start + 6, (number < 15 ? 0x2000 : 0) + number);
					if (number > 0) frame.view.setUint32(start + 20, number * 0x0123_4567);
				}
				t.true(nic.endpoint.nic.receive(frame));
			}
			await nic.machine.run();
			const got = [0, 1, 2, 3].map((pair) => nic.received(pair).length);
			t.deepEqual(
				got.filter((count) => count > 0),
				[16],
			);
		});

for (const v6 of [false, true])
	test(`a flow of IPv${v6 ? 6 : 4} comes by the pair that it was sent by last, or that its endpoint says`, async (t) => {
		const nic = await NetMachine.begin({features: [...all, 'control', 'pairs'], queues: 4, queueSize: 32});
		/** One of a flow, as it is sent, or as it is answered: with its ends the other way round. */
		const frameOf = (port: number, isAnswer: boolean) => {
			const frame = packet({v6});
			const {bytes, view} = frame;
			const [at, length, transport] = v6 ? [22, 16, 54] : [26, 4, 34];
			view.setUint16(transport, port);
			if (!isAnswer) return frame;
			const [from, to] = [bytes.slice(at, at + length), bytes.slice(at + length, at + 2 * length)];
			bytes.set(to, at);
			bytes.set(from, at + length);
			view.setUint16(transport, view.getUint16(transport + 2));
			view.setUint16(transport + 2, port);
			return frame;
		};
		/** The pair by which a frame is got. */
		const pairOf = async (frame: ReturnType<typeof packet>, asked?: number) => {
			for (let pair = 0; pair < 4; pair++) await nic.offerBuffers([1500], pair);
			t.true(nic.endpoint.nic.receive(frame, asked));
			await nic.machine.run();
			const found = [0, 1, 2, 3].filter((pair) => nic.received(pair).length > 0);
			t.is(found.length, 1);
			return found[0];
		};
		const answer = frameOf(5000, true);
		await nic.send(frameOf(5000, false), {}, 2);
		t.is(await pairOf(answer), 0, 'there is one pair as yet');
		t.is(await nic.ask(4, 0, 4, 0), 0);
		const [before, other] = [await pairOf(answer), await pairOf(frameOf(6000, true))];
		for (const pair of [3, 0, 2]) {
			await nic.send(frameOf(5000, false), {}, pair);
			t.is(await pairOf(answer), pair);
		}
		t.is(await pairOf(frameOf(6000, true)), other);
		t.deepEqual(nic.endpoint.sentBy, [2, 3, 0, 2]);
		t.deepEqual([await pairOf(answer, 1), await pairOf(answer, 4)], [1, 2], 'there is no fifth pair');
		t.is(await nic.ask(4, 0, 2, 0), 0);
		t.is(await pairOf(answer), (before as number) % 2, 'the third is not used any more');
	});

test('features that need others are not agreed on without them', async (t) => {
	for (const features of [['guestTcp4'], ['hostUdp'], ['announce'], ['hostChecksum', 'hostCongestion']] as const) {
		const nic = await NetMachine.begin({features});
		t.is(nic.driver.status & 8, 0, features.join());
	}
});

test('a reset has the device as it was, address and all', async (t) => {
	const nic = await NetMachine.begin({features: [...all, ...modes]});
	t.is(await nic.ask(1, 1, ...other), 0);
	t.is(await nic.ask(0, 0, 0), 0);
	t.is(nic.machine.registers.readConfig(0, 1), 2);
	nic.machine.registers.write('device_status', 0);
	await nic.machine.run();
	t.is(nic.driver.status, 0);
	t.is(nic.machine.registers.readConfig(0, 4), 0x015d_1500);
	t.deepEqual(nic.endpoint.calls, ['start', 'stop', 'start']);
	nic.driver.begin([15], 3);
	await nic.offerBuffers([1500]);
	t.true(nic.endpoint.nic.receive(packet({to: other})));
	await nic.machine.run();
	t.is(nic.received().length, 1);
});

test('a stopped NIC gives and takes nothing', async (t) => {
	const nic = await NetMachine.begin({features: all});
	await nic.offerBuffers([1500]);
	await nic.machine.stop();
	t.false(nic.endpoint.nic.receive(plain()));
	nic.machine.start();
	await nic.send(plain());
	t.is(nic.endpoint.sent.length, 1);
	t.true(nic.endpoint.nic.receive(plain()));
	await nic.machine.stop();
	await nic.machine.dispose();
	t.is(nic.endpoint.calls.at(-1), 'dispose');
});

test('a guest that goes on from a snapshot keeps what it had, and is to tell the network where it is', async (t) => {
	const features = ['status', 'announce', 'guestOffloads', ...all, ...modes] as const;
	const one = await NetMachine.begin({features});
	t.is(await one.ask(0, 0, 0), 0);
	t.is(await one.ask(1, 1, ...other), 0);
	t.is(await one.ask(2, 0, 5, 0), 0);
	t.is(await one.ask(5, 0, 0, 0, 0, 0, 0, 0, 0, 0), 0);
	await one.offerBuffers([1500, 1500, 1500]);
	t.is(one.status, NetStatus.LINK_UP);
	await one.machine.stop();
	const two = await NetMachine.open({features, from: one});
	t.is(two.status, NetStatus.LINK_UP | NetStatus.ANNOUNCE);
	t.is(two.machine.registers.takeInterrupts() & 2, 2);
	for (const to of [own, other])
		for (const vlan of [5, 6]) t.true(two.endpoint.nic.receive(packet({to, vlan, partial: true})));
	await two.machine.run();
	const got = two.received();
	t.deepEqual(
		got.map(({header, bytes}) => [header.flags, bytes[5], bytes[15]]),
		[[0, 7, 5]],
	);
	await two.send(plain());
	t.is(two.endpoint.sent.length, 1);
	t.is(await two.ask(3, 0), 0);
	t.is(two.status, NetStatus.LINK_UP);
	await two.machine.stop();
	two.machine.start();
	t.is(two.status, NetStatus.LINK_UP, 'a pause is nothing to tell of');
	two.machine.registers.write('device_status', 0);
	await two.machine.run();
	t.is(two.machine.registers.readConfig(0, 4), 0x015d_1500, 'the address that the guest has always had');
	t.deepEqual(two.machine.failures, []);
});

test('what an endpoint remembers of a guest is told where that goes on, once, and to no guest that is paused', async (t) => {
	const one = await NetMachine.begin();
	one.endpoint.remembers = Uint8Array.from({length: 2000}, (_, index) => index % 251);
	await one.machine.stop();
	one.machine.start();
	t.is(one.endpoint.recalled, undefined, 'a pause is nothing to tell of');
	await one.machine.stop();
	const two = await NetMachine.open({from: one});
	t.deepEqual(two.endpoint.calls, ['start', 'recall']);
	t.deepEqual(two.endpoint.recalled, one.endpoint.remembers);
	await two.machine.stop();
	two.machine.start();
	t.deepEqual(two.endpoint.calls, ['start', 'recall', 'stop', 'start']);
	// The endpoint there has remembered nothing.
	await two.machine.stop();
	t.is((await NetMachine.open({from: two})).endpoint.recalled, undefined);
});
