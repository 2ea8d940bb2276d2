import test from 'ava';
import {Congestion} from './congestion.ts';

test('a window is whole bytes whatever was lost and acknowledged: a part of one would be a byte that is never sent', (t) => {
	const congestion = new Congestion(1460);
	for (let round = 1; round < 200; round++) {
		if (round % 7 === 0) congestion.timedOut(0, 10_001 + round);
		if (round % 11 === 0)
			for (let again = 0; again < 4; again++)
				congestion.duplicate(0, 7001 + round * 2, {any: round % 2 === 0, isLost: false});
		congestion.acknowledged(1461 + round, round * 3000);
		t.true(Number.isInteger(congestion.window), `${round}: ${congestion.window}`);
	}
});
