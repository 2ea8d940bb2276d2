import test, {type ExecutionContext} from 'ava';
import {
	describeCase,
	differences,
	type Form,
	formsOfHost,
	integerForms,
	mmxForms,
	ProcessorState,
	Silicon,
	siliconObstacle,
	sse3Forms,
	sse4Forms,
	sseForms,
	x87Forms,
} from '#test/silicon';
import {UserModeProcessor} from './user-mode-processor.ts';

const obstacle = siliconObstacle();
const onSilicon = obstacle === undefined ? test : test.skip;
/** Cases of the daily run; `npm run flowey -- silicon` has more. */
const count = 100_000;
const vectorCount = 50_000;
const floatCount = 50_000;
const mmxCount = 20_000;
const x87Count = 40_000;

const floatingPoint = /^(r?sqrt|rcp|add|sub|mul|div|min|max|cmp|u?comis|cvt|hadd|hsub|round|dpp)/;
const vectorForms = [...sseForms, ...sse3Forms, ...sse4Forms].filter(({unit}) => unit === 'sse');
const isFloat = ({mnemonic}: Form) => floatingPoint.test(mnemonic);

onSilicon(`integer instructions do what the host's processor does, in ${count} cases`, compare, integerForms, count);
onSilicon(
	`moves and packed integers of XMM registers do what the host's processor does, in ${vectorCount} cases`,
	compare,
	vectorForms.filter((form) => !isFloat(form)),
	vectorCount,
);
onSilicon(
	`floating point of XMM registers does what the host's processor does, in ${floatCount} cases`,
	compare,
	vectorForms.filter(isFloat),
	floatCount,
);

onSilicon(
	`instructions on MMX registers do what the host's processor does, in ${mmxCount} cases`,
	compare,
	[...mmxForms, ...sse3Forms].filter(({unit}) => unit === 'mmx'),
	mmxCount,
);

onSilicon(`the x87 does what the host's does, in ${x87Count} cases`, compare, x87Forms, x87Count);

function compare(t: ExecutionContext, forms: readonly Form[], count: number): void {
	const processor = new UserModeProcessor();
	using silicon = new Silicon();
	const after = ProcessorState.on(new SharedArrayBuffer(ProcessorState.byteLength));
	const seed = 1;
	const found: string[] = [];
	for (const batch of silicon.batches({seed, count, forms: formsOfHost(forms)})) {
		for (const one of batch) {
			processor.run(one.record, after);
			const unlike = differences(one.record.after, after, one.mask);
			if (unlike.length > 0) found.push(`${describeCase(one)}: ${unlike.join('; ')}`);
		}
	}
	t.deepEqual(found.slice(0, 10), [], `seed ${seed}, ${found.length} of ${count} cases differ`);
}
