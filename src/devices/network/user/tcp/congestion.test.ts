import test from 'ava';
import {Congestion} from './congestion.ts';

const loss = (order: number, sent: number, isSelective: boolean) => ({
	order,
	latest: order,
	acknowledged: 0,
	sent,
	isSelective,
});

test('a window is whole bytes whatever was lost and acknowledged: a part of one would be a byte that is never sent', (t) => {
	const congestion = new Congestion(1460);
	for (let round = 1; round < 200; round++) {
		if (round % 7 === 0) congestion.timedOut(loss(round, 10_001 + round, false));
		if (round % 11 === 0)
			for (let again = 0; again < 4; again++)
				if (congestion.duplicate()) congestion.lost(loss(round, 7001 + round * 2, round % 2 === 0));
		congestion.acknowledged(1461 + round, round * 3000);
		t.true(Number.isInteger(congestion.window), `${round}: ${congestion.window}`);
	}
});

test('with the first two acknowledgments of the same one segment more may be under way for each, and the third tells of a loss', (t) => {
	const congestion = new Congestion(1000);
	const {window} = congestion;
	t.false(congestion.duplicate());
	t.is(congestion.window, window + 1000);
	t.false(congestion.duplicate());
	t.is(congestion.window, window + 2000);
	t.true(congestion.duplicate());
	t.true(congestion.lost(loss(7, 20_000, false)));
	t.is(congestion.window, 13_000);
	t.false(congestion.duplicate(), 'that of a recovery tells nothing');
	t.is(congestion.window, 14_000);
	t.false(congestion.lost(loss(7, 20_000, false)), 'the window answers to what was sent in it once');
});

test('after a time without an answer nothing that was sent before it tells of a loss: what is sent again has it said again', (t) => {
	const congestion = new Congestion(1000);
	congestion.timedOut(loss(9, 20_000, false));
	t.is(congestion.window, 1000);
	for (let again = 0; again < 9; again++) t.false(congestion.duplicate());
	t.false(congestion.acknowledged(1000, 1000));
	t.is(congestion.window, 2000, 'it grows meanwhile');
	congestion.acknowledged(19_000, 20_000);
	for (const isLost of [false, false, true]) t.is(congestion.duplicate(), isLost);
});
