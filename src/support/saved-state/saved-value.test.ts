import test from 'ava';
import {bytesOf} from './index.ts';

test('bytes come back from base64 of every length that is allowed, and of no other', (t) => {
	for (const most of [0, 1, 2, 3, 4]) {
		const value = bytesOf(1, most);
		for (let length = 0; length <= most + 3; length++) {
			const bytes = new Uint8Array(length).fill(0xff);
			const saved = value.save(bytes);
			if (length >= 1 && length <= most) t.deepEqual(value.parse(saved, 'thing.bytes'), bytes);
			else t.throws(() => value.parse(saved, 'thing.bytes'), {code: 'STATE_FIELD_WRONG', message: /thing.*bytes/});
		}
		t.throws(() => value.parse('A'.repeat(1000), 'thing.bytes'), {code: 'STATE_FIELD_WRONG'});
	}
});
