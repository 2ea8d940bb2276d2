import {createHash} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {checkFacts, doubleBits, numbers, type Part} from './part.ts';

const lines = numbers.trimEnd().split('\n');

/** Perl, its regular expressions, formats and sorting, held against the same of the test's own process. */
export const perl: Part = {
	name: 'perl',
	files: {'text.pl': readFileSync('test/guests/user-land/text.pl')},
	lines: ['perl text.pl'],
	check(t, output) {
		const pairs: Record<string, number> = {};
		for (const line of lines) {
			const digit = /([1-9])\1$/.exec(line)?.[1];
			if (digit !== undefined) pairs[digit] = (pairs[digit] ?? 0) + 1;
		}
		const reversed = (line: string) => [...line].reverse().join('');
		const sorted = lines.slice(0, 2000).sort((a, b) => b.length - a.length || (reversed(a) < reversed(b) ? -1 : 1));
		const hash = (text: string) => createHash('sha256').update(text).digest('hex');
		let double = 0;
		for (let k = 1; k <= 3000; k++) double = double / 1.0001 + Math.sqrt(k);
		checkFacts(t, output, {
			pairs: Object.entries(pairs)
				.map(([digit, count]) => `${digit}:${count}`)
				.join(' '),
			swapped: lines
				.slice(0, 41)
				.join(',')
				.replaceAll(/(\d)(\d)/g, '$2$1'),
			groups: '2024 11 29 07 2024',
			nested: 'a<(b(c)d(e(f)))>g',
			sorted: [hash(sorted.join('\n')), ...[0, 1, 999, 1998].map((index) => sorted[index])].join(' '),
			format: '00042|ab    |+1.235e+04|beef|777|100101|-003.142|0.25',
			double: doubleBits(double),
			packed: '00010000000203000400000005fffffffffffffffa822c',
			integer: [
				(2n ** 64n - 59n) % (2n ** 32n - 5n),
				2n ** 63n - 1n - 12345678901234n,
				7n ** 20n,
				3,
				2n ** 61n - 1n,
			].join(' '),
			big: String(3n ** 500n % (10n ** 60n + 7n)),
			sum: String((lines.length * (lines.length + 1)) / 2),
			digest: hash(lines.join('')),
		});
	},
};
