import test from 'ava';
import {
	describeCase,
	formsOfHost,
	integerForms,
	mmxForms,
	Random,
	Silicon,
	siliconObstacle,
	sse3Forms,
	sse4Forms,
	sseForms,
	x87Forms,
} from '#test/silicon';
import {UserModeProcessor} from './user-mode-processor.ts';

const onSilicon = siliconObstacle() === undefined ? test : test.skip;
/** Blocks of the daily run. */
const count = 1500;
const perModule = 60;
const maxInstructions = 16;
const seed = 1;

onSilicon(`translations of ${count} random blocks do what the interpreter does`, (t) => {
	const processor = new UserModeProcessor();
	const random = new Random(seed);
	using silicon = new Silicon(perModule * maxInstructions);
	const forms = formsOfHost([...integerForms, ...sseForms, ...sse3Forms, ...sse4Forms, ...mmxForms, ...x87Forms]);
	const found: string[] = [];
	let instructions = 0;
	const cases = {seed, count: (count / perModule) * perModule * maxInstructions, forms};
	for (const batch of silicon.batches(cases)) {
		// Forms follow each other in tables: a block takes them from anywhere.
		const blocks = Array.from({length: perModule}, (_, index) => {
			const length = 1 + random.below(maxInstructions);
			const chosen = Array.from({length}, () => batch[random.below(batch.length)] as (typeof batch)[number]);
			const code = Uint8Array.from(chosen.flatMap(({code}) => code.bytes));
			return {first: batch[index * maxInstructions] as (typeof batch)[number], code};
		});
		processor.forgetCode();
		const steps = blocks.map(({first, code}) => processor.stepsOf(processor.prepare(first.record.before, code)));
		const translated = processor.translate(steps);
		for (const [index, {first, code}] of blocks.entries()) {
			const record = processor.prepare(first.record.before, code);
			const [expected, actual] = processor.runBoth(record, translated[index] as (typeof translated)[number]);
			instructions += steps[index]?.at(-1)?.ordinal ?? 0;
			const isAlike =
				expected.stop === actual.stop &&
				Buffer.compare(expected.state, actual.state) === 0 &&
				Buffer.compare(expected.ram, actual.ram) === 0;
			if (!isAlike) found.push(`${describeCase(first)}, then ${Buffer.from(code).toString('hex')}`);
		}
	}
	t.deepEqual(found.slice(0, 10), [], `seed ${seed}, ${found.length} of ${count} blocks differ`);
	t.true(instructions > count);
});
