import {type Coverage, proofParts} from '#test/processor/proof';
import type {PartReport} from './proof-report.ts';

/** The page of the guide that says what the proof covers. */
export function proofPage(reports: readonly PartReport[], {encodings, covered, exceptions}: Coverage): string {
	const missing = proofParts.map(({name}) => name).filter((name) => reports.every(({part}) => part !== name));
	return `# What the proof of the processor covers

\`npm run flowey -- proof --page\` writes this page from the results that the last \`npm run flowey -- proof\` of each part has left, and
from the tables of forms. What the parts are, and how to run them: [the software processor](../processor.md#how-we-know-that-it-is-right).

## Results

${table(
	['part', 'oracle', 'compared', 'different', 'seed', 'also counted'],
	reports.map(({part, oracle, cases, unit, differing, seed, counts}) => [
		part,
		oracle,
		`${grouped(cases)} ${unit}`,
		grouped(differing),
		`${seed}`,
		Object.entries(counts)
			.map(([name, count]) => `${grouped(count)} ${name}`)
			.join(', '),
	]),
)}

${missing.length > 0 ? `Not run: ${missing.map((name) => `\`${name}\``).join(', ')}. ` : ''}The host's processor was: ${[...new Set(reports.map(({host}) => host))].join('; ')}.

## Forms

A form is one instruction with one encoding, kind of operands and size of them. Each is compared with any registers, flags, memory and control
words, with exceptions, and with all prefixes that it may have.

${table(
	['part', 'forms', 'oracle', 'number', 'compared', 'least compared form'],
	reports.flatMap(({part, oracle, forms}) =>
		[...Map.groupBy(Object.entries(forms), ([name]) => name.split(': ')[0] ?? '')].map(([group, rows]) => {
			const counts = rows.map(([, count]) => count);
			const sum = counts.reduce((total, count) => total + count, 0);
			return [
				part,
				group,
				oracle,
				grouped(rows.length),
				`${grouped(sum)} times`,
				`${grouped(Math.min(...counts))} times`,
			];
		}),
	),
)}

Approximations (RCP, RSQRT and eight functions of the x87) may differ by what the manual allows them; \`accuracy\` compares them with series on big integers.

## Encodings of 64-bit code

An encoding is an opcode with its prefix, ModRM.reg, and memory or a register as its operand. Of ${grouped(encodings)} that the manuals' opcode maps have outside of the
x87, which has a table of forms of its own, the host's processor judges ${grouped(covered)}. The others:

${table(
	['what', 'encodings', 'why not', 'shown by'],
	exceptions.map(({what, encodings, why, shownBy}) => [what, grouped(encodings), why, shownBy]),
)}
`;
}

const grouped = (value: number): string => value.toLocaleString('en');

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
	const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |');
	return [line(headings), `|${'---|'.repeat(headings.length)}`, ...rows.map(line)].join('\n');
}
