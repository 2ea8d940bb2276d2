import test from 'ava';
import {checksum, concatBytes, littleEndian, packedRecord} from './packed-record.ts';

const record = packedRecord([
	['signature', 0, 4],
	['length', 4, 2],
	['address', 6, 8],
]);

test('fields are written little-endian at their offsets, missing ones as zero', (t) => {
	t.is(record.length, 14);
	t.deepEqual(
		[...record.encode({signature: 'AB', address: 0x1_0203_0405})],
		[0x41, 0x42, 0, 0, 0, 0, 5, 4, 3, 2, 1, 0, 0, 0],
	);
});

test('a value that does not fit its field is refused', (t) => {
	t.throws(() => record.encode({length: 0x1_0000}), {message: /does not fit/});
	t.throws(() => record.encode({length: -1}), {message: /does not fit/});
	t.throws(() => record.encode({signature: 'ABCDE'}), {message: /holds 4 bytes/});
	t.throws(() => record.encode({signature: 'é'}), {message: /not ASCII/});
});

test('a gap between fields is refused', (t) => {
	t.throws(() => packedRecord([['late', 1, 1]]), {message: /late is at 1/});
});

test('64-bit values keep all their bits', (t) => {
	t.deepEqual([...littleEndian(0xfedc_ba98_7654_3210n, 8)], [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]);
});

test('a checksum makes the sum of all bytes zero', (t) => {
	const bytes = Uint8Array.of(1, 2, 250);
	const sum = concatBytes(bytes, Uint8Array.of(checksum(bytes))).reduce((a, b) => a + b, 0);
	t.is(sum & 0xff, 0);
});
