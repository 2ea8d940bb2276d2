import test from 'ava';
import {
	describeCase,
	differences,
	formsOfHost,
	integerForms,
	ProcessorState,
	Silicon,
	siliconObstacle,
} from '#test/silicon';
import {UserModeProcessor} from './user-mode-processor.ts';

const obstacle = siliconObstacle();
const onSilicon = obstacle === undefined ? test : test.skip;
/** Cases of the daily run; `npm run flowey -- silicon` has more. */
const count = 100_000;

onSilicon(`integer instructions do what the host's processor does, in ${count} cases`, (t) => {
	const processor = new UserModeProcessor();
	using silicon = new Silicon();
	const after = ProcessorState.on(new SharedArrayBuffer(ProcessorState.byteLength));
	const seed = 1;
	const found: string[] = [];
	for (const batch of silicon.batches({seed, count, forms: formsOfHost(integerForms)})) {
		for (const one of batch) {
			processor.run(one.record, after);
			const unlike = differences(one.record.after, after, one.mask);
			if (unlike.length > 0) found.push(`${describeCase(one)}: ${unlike.join('; ')}`);
		}
	}
	t.deepEqual(found.slice(0, 10), [], `seed ${seed}, ${found.length} of ${count} cases differ`);
});
