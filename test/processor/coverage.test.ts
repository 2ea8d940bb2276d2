import test from 'ava';
import {bytesOf} from './opcode-map.ts';
import {coverage} from './proof/index.ts';

test("each encoding of 64-bit code is compared with the host's processor, or it is said why not", (t) => {
	const {encodings, covered, exceptions, unproven} = coverage();
	t.deepEqual(
		unproven.map((one) => `${Buffer.from(bytesOf(one)).toString('hex')} (${one.form})`),
		[],
	);
	for (const {what, encodings} of exceptions) t.true(encodings > 0, `${what}: there are none`);
	t.log(`${covered} of ${encodings} encodings`);
	t.true(covered > encodings * 0.8);
});
