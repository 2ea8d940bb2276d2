import test from 'ava';
import {encodeFrame, encodeJsonFrame, FRAME, FrameReader} from './frames.ts';

test('frames come out as they went in, however the stream is cut', (t) => {
	const stream = Buffer.concat([
		encodeFrame(FRAME.stdout, 7, Buffer.from('hello')),
		encodeFrame(FRAME.stdin, 8),
		encodeJsonFrame(FRAME.exit, 9, {status: 0}),
	]);
	const reader = new FrameReader();

	const frames = [...stream].flatMap((byte) => reader.push(Uint8Array.of(byte)));

	t.deepEqual(
		frames.map(({kind, id, payload}) => [kind, id, Buffer.from(payload).toString()]),
		[
			[FRAME.stdout, 7, 'hello'],
			[FRAME.stdin, 8, ''],
			[FRAME.exit, 9, '{"status":0}'],
		],
	);
});

test('a length that no frame has is refused', (t) => {
	t.throws(() => new FrameReader().push(Buffer.alloc(9, 0xff)), {message: /longer than/});
});
