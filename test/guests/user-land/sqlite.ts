import {readFileSync} from 'node:fs';
import type {Part} from './part.ts';

interface Person {
	readonly id: number;
	readonly name: string;
	readonly town: number;
}

const people: readonly Person[] = Array.from({length: 5000}, (_, index) => {
	const id = index + 1;
	const name = `person-${((BigInt(id) * 2654435761n) % 2n ** 32n).toString(16)}`;
	return {id, name, town: 1 + ((id * id) % 20)};
});
const heights = Array.from({length: 20}, (_, index) => (index + 1) ** 2 / 8);

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
const real = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

/** SQLite: a schema, a join, groups, windows and changes, held against the same on arrays of the test's own. */
export const sqlite: Part = {
	name: 'sqlite',
	files: {'tables.sql': readFileSync('test/guests/user-land/tables.sql')},
	lines: ['sqlite3 -batch tables.db <tables.sql', 'sqlite3 tables.db "pragma integrity_check"'],
	check: (t, output) => t.deepEqual(output.trimEnd().split('\n'), [...rows(), 'ok', 'ok']),
};

function rows(): string[] {
	const towns = heights
		.map((height, index) => ({
			height,
			town: index + 1,
			ids: people.filter(({town}) => town === index + 1).map(({id}) => id),
		}))
		.filter(({ids}) => ids.length > 300)
		.map(({height, town, ids}) => ({height, town, count: ids.length, total: sum(ids), last: Math.max(...ids)}))
		.sort((a, b) => b.total - a.total || b.last - a.last);
	const ranked = [...people].sort((a, b) => b.town - a.town || (a.name < b.name ? -1 : 1)).slice(0, 3);
	const left = people
		.map((each) => (each.id % 3 === 0 ? {...each, town: 1} : each))
		.filter(({name}) => !name.endsWith('f'));
	return [
		...towns.map(
			({town, count, total, last, height}) =>
				`towns|town-${String(town).padStart(2, '0')}|${count}|${total}|${last}|${real(height)}`,
		),
		...ranked.map(({id}, index) => `rank|${id}|${index + 1}`),
		`left|${left.length}|${sum(left.map(({id}) => id))}|${new Set(left.map(({town}) => town)).size}`,
		`total|${real(sum(heights))}|${real(sum(heights) / 20)}|${Math.sqrt(sum(heights)).toFixed(6)}`,
		`hex|${Buffer.from(people[1]?.name ?? '')
			.toString('hex')
			.toUpperCase()}`,
	];
}
