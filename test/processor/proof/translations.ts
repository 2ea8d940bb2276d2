import {describeCase, formsOfHost, Random, Silicon, type SiliconCase, siliconObstacle} from '#test/silicon';
import {UserModeProcessor} from '../user-mode-processor.ts';
import {Findings, type ProofPart} from './part.ts';
import {siliconForms} from './silicon.ts';

const perModule = 60;
const maxInstructions = 16;

/** Random blocks by the interpreter and by their translations; the host's processor only makes their first states. */
export const translations: ProofPart = {
	name: 'translations',
	title: 'translations of random blocks do what the interpreter does',
	oracle: 'interpreter',
	unit: 'blocks',
	daily: 1500,
	whole: 30_000,
	share: 1500,
	threads: 1,
	obstacle: siliconObstacle,
	run({seed, first, count}) {
		const processor = new UserModeProcessor();
		const random = new Random(seed);
		random.restart(seed, first);
		using silicon = new Silicon(perModule * maxInstructions);
		const findings = new Findings();
		let instructions = 0;
		const forms = formsOfHost(siliconForms);
		const cases = {seed, first: first * maxInstructions, count: count * maxInstructions, forms};
		for (const batch of silicon.batches(cases)) {
			// Forms follow each other in tables: a block takes them from anywhere.
			const pick = () => batch[random.below(batch.length)] as SiliconCase;
			const blocks = Array.from({length: batch.length / maxInstructions}, (_, index) => {
				const chosen = Array.from({length: 1 + random.below(maxInstructions)}, pick);
				const code = Uint8Array.from(chosen.flatMap(({code}) => code.bytes));
				return {first: batch[index * maxInstructions] as SiliconCase, code};
			});
			processor.forgetCode();
			const steps = blocks.map(({first, code}) => processor.stepsOf(processor.prepare(first.record.before, code)));
			const translated = processor.translate(steps);
			for (const [index, {first, code}] of blocks.entries()) {
				const record = processor.prepare(first.record.before, code);
				const [expected, actual] = processor.runBoth(record, translated[index] as (typeof translated)[number]);
				instructions += steps[index]?.at(-1)?.ordinal ?? 0;
				const unlike = [
					...(expected.stop === actual.stop ? [] : [`stop ${actual.stop}, not ${expected.stop}`]),
					...(Buffer.compare(expected.state, actual.state) === 0 ? [] : ['registers']),
					...(Buffer.compare(expected.ram, actual.ram) === 0 ? [] : ['memory']),
				];
				findings.add(unlike, () => `${describeCase(first)}, then ${Buffer.from(code).toString('hex')}`);
			}
		}
		return findings.result({instructions});
	},
};
