import test from 'ava';
import type {ProofPart} from './proof/index.ts';

/** Seed of `npm test`; `npm run flowey -- proof` takes any. */
const seed = 1;

/** The daily share of parts of the proof, each as a test. */
export function partTests(parts: readonly ProofPart[]): void {
	for (const {name, title, unit, daily, obstacle, run} of parts) {
		const why = obstacle();
		const here = why === undefined ? test.serial : test.serial.skip;
		here(`${title}, in ${daily} ${unit}${why === undefined ? '' : ` (skipped: ${why})`}`, async (t) => {
			const {cases, differing, differences} = await run({seed, first: 0, count: daily}, () => {});
			t.deepEqual(differences, [], `${name}, seed ${seed}: ${differing} of ${cases} ${unit} differ`);
			t.is(cases, daily);
		});
	}
}
