import test from 'ava';
import {Random} from '#test/silicon';
import {remappedFlow} from './fuzz/remapped-flow.ts';
import {left, runOn} from './kernel-runs.ts';

const sequences = 6;

test('random control flow over pages that are mapped elsewhere and rewritten ends by its translations as by the interpreter', (t) => {
	let translated = 0;
	for (let sequence = 1; sequence <= sequences; sequence++) {
		const run = (heat: number | undefined) => {
			const guest = remappedFlow(new Random(sequence));
			guest.processor.heat = heat;
			return runOn(guest);
		};
		const expected = run(undefined).guest;
		t.is(expected.processor.core.state.general[1], 0n, `sequence ${sequence} is over when its fuel is`);
		for (const heat of [1, 8, 60, 400]) {
			const {guest, most} = run(heat);
			translated += most;
			t.deepEqual(left(guest), left(expected), `sequence ${sequence}, heat ${heat}`);
			t.true(Buffer.compare(guest.ram, expected.ram) === 0, `memory of sequence ${sequence}, heat ${heat}`);
		}
	}
	t.true(translated > 20 * sequences, `${translated}`);
});
