import test from 'ava';
import {dayMs, daysIn, daysUntil, monthOf, weekday, yearOf} from './gregorian.ts';

test('every day of ten thousand years is the one that Date says, and goes back', (t) => {
	const wrong: string[] = [];
	const first = daysUntil(0, 1, 1);
	for (let days = first; days <= daysUntil(9999, 12, 31); days++) {
		const date = new Date(days * dayMs);
		const [year, day] = [yearOf(days), date.getUTCDate()];
		const month = monthOf(days, year);
		const same = year === date.getUTCFullYear() && month === date.getUTCMonth() + 1;
		const goesBack = daysUntil(year, month, day) === days && day <= daysIn(year, month);
		if (!same || !goesBack || weekday(days) !== date.getUTCDay()) wrong.push(date.toISOString());
	}
	t.deepEqual(wrong.slice(0, 5), []);
	t.is(first, Date.UTC(2000, 0, 1) / dayMs - 5 * 146_097, 'the calendar repeats itself after 400 years');
});

test('a time that is no number ends, and so does one that is too large', (t) => {
	for (const days of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, -1e300])
		t.notThrows(() => monthOf(days, yearOf(days)));
});
