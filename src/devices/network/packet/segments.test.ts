import test from 'ava';
import {Frame, Segmentation} from '#devices/network/endpoint';
import {isSound, type PacketParts, packet, payloadOf} from '#devices/network/testing';
import {finishChecksum, Segments} from './index.ts';

const bytesOf = (length: number) => Uint8Array.from({length}, (_, index) => (index * 7) ^ (index >>> 3));

const kinds: Readonly<Record<string, PacketParts & {readonly segmentation: Segmentation}>> = {
	'TCP over IPv4': {segmentation: Segmentation.TCP4},
	'TCP over IPv4 with options, in a VLAN': {segmentation: Segmentation.TCP4, options: 12, vlan: 5},
	'TCP over IPv6': {segmentation: Segmentation.TCP6, v6: true},
	'UDP over IPv4': {segmentation: Segmentation.UDP, udp: true},
	'UDP over IPv6': {segmentation: Segmentation.UDP, udp: true, v6: true},
};

/** A frame to be cut. */
function large({segmentation, ...parts}: (typeof kinds)[string], length: number, size: number): Frame {
	const frame = packet({partial: true, payload: bytesOf(length), ...parts});
	frame.segmentation = segmentation;
	frame.segmentBytes = size;
	return frame;
}

function cut(frame: Frame): Frame[] {
	const segments = new Segments();
	if (!segments.begin(frame)) return [];
	const made: Frame[] = [];
	const scratch = new Frame();
	while (segments.next(scratch)) {
		const kept = new Frame(scratch.length);
		kept.copy(scratch);
		made.push(kept);
	}
	return made.length === segments.count ? made : [];
}

for (const [name, parts] of Object.entries(kinds))
	test(`${name} is cut into frames that are right, and that are the same together`, (t) => {
		for (const [length, size] of [
			[4001, 1448],
			[3000, 1000],
			[65_000, 1400],
			[5, 1448],
		] as const) {
			const made = cut(large(parts, length, size));
			t.is(made.length, Math.ceil(length / size));
			t.true(made.every((each) => each.isPlain && isSound(each)));
			t.deepEqual(Buffer.concat(made.map(payloadOf)), Buffer.from(bytesOf(length)));
			t.true(made.every((each, index) => payloadOf(each).length === size || index === made.length - 1));
		}
	});

test('segments of TCP are numbered, the last alone has FIN and PSH, the first alone CWR', (t) => {
	const made = cut(large({segmentation: Segmentation.TCP4, flags: 0x99, sequence: 0xffff_ff00}, 2500, 1000));
	t.deepEqual(
		made.map(({view}) => [view.getUint32(38), view.getUint8(47), view.getUint16(18)]),
		[
			[0xffff_ff00, 0x90, 7],
			[0xffff_ff00 + 1000 - 2 ** 32, 0x10, 8],
			[0xffff_ff00 + 2000 - 2 ** 32, 0x19, 9],
		],
	);
});

test('what says of itself what it is not is not cut', (t) => {
	const lies: readonly ((frame: Frame) => void)[] = [
		(frame) => void Object.assign(frame, {segmentBytes: 0}),
		// More segments than any Linux asks for.
		(frame) => void Object.assign(frame, {segmentBytes: 1}),
		(frame) => void Object.assign(frame, {needsChecksum: false}),
		(frame) => void Object.assign(frame, {segmentation: Segmentation.TCP6}),
		(frame) => void Object.assign(frame, {segmentation: Segmentation.UDP}),
		(frame) => void Object.assign(frame, {checksumStart: 20}),
		(frame) => void Object.assign(frame, {checksumStart: 3000}),
		(frame) => void Object.assign(frame, {checksumOffset: 6}),
		(frame) => frame.view.setUint16(12, 0x0806),
		(frame) => frame.view.setUint16(12, 0x8100),
		(frame) => frame.view.setUint8(14, 0x46),
		(frame) => frame.view.setUint8(14, 0x65),
		(frame) => frame.view.setUint8(23, 17),
		// Headers of TCP that are shorter than any, and longer than the frame.
		(frame) => frame.view.setUint8(46, 0x40),
		(frame) => {
			frame.length = 60;
			frame.view.setUint8(46, 0xf0);
		},
		(frame) => void Object.assign(frame, {length: 40}),
	];
	for (const [index, lie] of lies.entries()) {
		const frame = large({segmentation: Segmentation.TCP4}, 3000, 1000);
		t.is(cut(frame).length, 3);
		lie(frame);
		t.deepEqual(cut(frame), [], `lie ${index}`);
	}
});

test('headers that are most of a frame are copied into no segments', (t) => {
	const made = (headers: number) => {
		const frame = large({segmentation: Segmentation.TCP6, v6: true}, 9000, 48);
		// Of IPv6 others may stand before that of TCP: all of them are in each segment.
		const moved = headers - 20 - 54;
		frame.bytes.copyWithin(54 + moved, 54, frame.length);
		frame.length += moved;
		frame.checksumStart += moved;
		return cut(frame);
	};
	t.is(made(512).length, Math.ceil(9000 / 48));
	t.is(made(513).length, 0);
	t.is(made(50_000).length, 0);
});

for (const parts of [{}, {v6: true}, {udp: true}, {udp: true, v6: true, vlan: 3}])
	test(`a checksum that was left is made, of ${JSON.stringify(parts)}`, (t) => {
		for (let length = 0; length < 70; length++) {
			const frame = packet({...parts, partial: true, payload: bytesOf(length)});
			t.is(frame.needsChecksum, true);
			finishChecksum(frame);
			t.true(isSound(frame) && frame.isPlain && frame.isChecked);
		}
	});

test('a UDP checksum that comes out as zero is all ones', (t) => {
	const frame = packet({udp: true, partial: true, payload: new Uint8Array(2)});
	finishChecksum(frame);
	const sum = frame.view.getUint16(40);
	// The payload takes up what is left to all ones.
	const other = packet({udp: true, partial: true, payload: Uint8Array.of(sum >>> 8, sum & 0xff)});
	finishChecksum(other);
	t.is(other.view.getUint16(40), 0xffff);
});
