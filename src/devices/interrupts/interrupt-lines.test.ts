import test from 'ava';
import {InterruptLines, interruptTableBytes} from './index.ts';

test('sources sharing an input are combined by OR, and only changes reach the controller', (t) => {
	const changes: [number, boolean | 'again'][] = [];
	const lines = new InterruptLines(new SharedArrayBuffer(interruptTableBytes(3, 24)), 3, {
		setLine: (gsi, asserted) => void changes.push([gsi, asserted]),
		rise: (gsi) => void changes.push([gsi, 'again']),
	});
	const com1 = lines.line({source: 0, gsi: 4});
	const com3 = lines.line({source: 1, gsi: 4});
	const rtc = lines.line({source: 2, gsi: 8});
	for (const level of [false, true, true]) com1.setLevel(level);
	com3.setLevel(true);
	rtc.setLevel(true);
	com1.setLevel(false);
	com3.setLevel(false);
	com3.setLevel(false);
	t.deepEqual(changes, [
		[4, true],
		[8, true],
		[4, false],
	]);
	changes.length = 0;
	com1.rise();
	com1.rise();
	com3.setLevel(true);
	com1.rise();
	com1.setLevel(false);
	com3.setLevel(false);
	t.deepEqual(
		changes,
		[
			[4, true],
			[4, 'again'],
			[4, false],
		],
		'a rise is one step, and an input that another source holds up does not fall',
	);
});
