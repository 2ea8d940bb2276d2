import type {Part} from './part.ts';

/** How often each kind of work is done. */
const operations = {cpu: 60, matrix: 20, vm: 400, memcpy: 20, futex: 2000, pipe: 2000, fork: 40} as const;
/** Memory of the kind that looks for wrong bits in it. */
const options: Partial<Record<keyof typeof operations, string>> = {vm: '--vm-bytes 4M'};

/** stress-ng, which looks at its own results. @param workers - of each kind, at the same time */
export const stress = (workers: number): Part => ({
	name: 'stress',
	lines: Object.entries(operations).map(([name, count]) =>
		[
			`stress-ng --verify --metrics-brief --timeout 0 --${name} ${workers} --${name}-ops ${count * workers}`,
			options[name as keyof typeof operations] ?? '',
		].join(' '),
	),
	check(t, output) {
		t.notRegex(output, /fail|error|unsuccessful/i);
		const kinds = Object.entries(operations);
		t.is(output.match(/info:.* successful run completed/g)?.length, kinds.length, output);
		for (const [name, count] of kinds) {
			const done = new RegExp(`metrc:.* ${name} +(\\d+) `).exec(output)?.[1];
			t.true(Number(done) >= count * workers, `${name}: ${done}`);
		}
	},
});
