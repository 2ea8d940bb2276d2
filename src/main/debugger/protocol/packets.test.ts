import test from 'ava';
import {
	type ClientEvent,
	framePacket,
	maxPacketBytes,
	PacketReader,
	parseAddress,
	parseBytes,
	parseCount,
} from './index.ts';

const events = (text: string) => new PacketReader().push(Buffer.from(text, 'latin1'));

test('a packet with the right checksum is its data', (t) => {
	t.deepEqual(events('$g#67'), [{kind: 'packet', data: 'g'}]);
	t.deepEqual(events('$#00'), [{kind: 'packet', data: ''}]);
});

test('a packet is the same however its bytes are cut', (t) => {
	const reader = new PacketReader();
	const bytes = Buffer.from('+$m10,4#2e\x03-', 'latin1');
	const all = [...bytes].flatMap((byte) => reader.push(Uint8Array.of(byte)));
	t.deepEqual(all, [{kind: 'ack'}, {kind: 'packet', data: 'm10,4'}, {kind: 'interrupt'}, {kind: 'resend'}]);
});

test('a wrong checksum damages the packet, and the next one counts again', (t) => {
	t.deepEqual(events('$g#68$g#zz$g#67'), [{kind: 'damaged'}, {kind: 'damaged'}, {kind: 'packet', data: 'g'}]);
});

test('a packet that starts anew drops what came before', (t) => {
	t.deepEqual(events('$broken$g#67'), [{kind: 'packet', data: 'g'}]);
});

test('bytes between packets that mean nothing are dropped', (t) => {
	t.deepEqual(events('abc\0#12'), []);
});

test('binary data comes through escaped, and out again', (t) => {
	const data = Array.from({length: 256}, (_, byte) => String.fromCharCode(byte)).join('');
	t.deepEqual(new PacketReader().push(framePacket(data)), [{kind: 'packet', data}]);
});

test('a packet that never ends is given up at its bound', (t) => {
	const reader = new PacketReader();
	const found: ClientEvent[] = [];
	for (let round = 0; round < 3; round++) found.push(...reader.push(Buffer.from('$'.padEnd(maxPacketBytes + 2, 'x'))));
	t.deepEqual(found, [{kind: 'too long'}, {kind: 'too long'}, {kind: 'too long'}]);
});

test('numbers that are none are refused, and counts have a bound', (t) => {
	t.is(parseAddress('ffffffff81000000'), 0xffff_ffff_8100_0000n);
	for (const text of ['', '-1', '0x10', 'g', '12345678901234567', ' 1']) t.is(parseAddress(text), undefined, text);
	t.is(parseCount('ffffffffffffffff', 100), 100);
	t.is(parseBytes('abc'), undefined);
	t.is(parseBytes('zz'), undefined);
});
