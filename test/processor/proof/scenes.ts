import {Random} from '#test/silicon';
import {HostileMachine} from '../fuzz/hostile-machine.ts';
import {modes} from '../fuzz/random-scene.ts';
import {Rewriter} from '../fuzz/rewriter.ts';
import {Findings, judged, type ProofPart, type Share, type ShareResult} from './part.ts';

/** Instructions of a scene on average, at least: with fewer no scene gets anywhere. */
const fewInstructions = 500n;
const fewScenes = 100;
/** Rounds of the rewriter, at least. */
const fewRounds = 10;

/** @param isAlone - nobody else writes to memory: the processor's program behind a scene must be right */
function attack(machine: HostileMachine, {seed, first, count}: Share, isAlone: boolean): ShareResult {
	const random = new Random(seed);
	const findings = new Findings();
	for (let number = first; number < first + count; number++) {
		random.restart(seed, number);
		const mode = modes[number % modes.length] ?? 'long';
		findings.add(
			harmOf(machine, () => machine.run(random, mode), isAlone),
			() => `scene ${number}, ${mode} mode`,
		);
	}
	return findings.result({instructions: Number(machine.executed)});
}

function harmOf(machine: HostileMachine, run: () => readonly string[], isAlone: boolean): readonly string[] {
	try {
		const found = run();
		return isAlone && !machine.works() ? [...found, 'a program behind it is not executed right'] : found;
	} catch (error) {
		return [String(error instanceof Error ? error.stack : error)];
	}
}

/** Random guests that mean harm, in every mode. */
export const scenes: ProofPart = {
	name: 'scenes',
	title: 'nothing that a guest does harms its host',
	oracle: 'manual',
	unit: 'scenes',
	daily: 15 * modes.length,
	whole: 2000 * modes.length,
	share: 100,
	threads: 1,
	obstacle: () => undefined,
	async run(share) {
		const machine = await HostileMachine.make();
		const result = attack(machine, share, true);
		const isIdle = share.count >= fewScenes && machine.executed < BigInt(share.count) * fewInstructions;
		return isIdle ? judged(share.count, [`${machine.executed} instructions in all scenes`]) : result;
	},
};

/** Such guests, each of whose translations is compared with the interpreter. */
export const comparedScenes: ProofPart = {
	name: 'comparedScenes',
	title: 'what such a guest does is the same by translations and by the interpreter',
	oracle: 'interpreter',
	unit: 'scenes',
	daily: 3 * modes.length,
	whole: 500 * modes.length,
	share: 100,
	threads: 1,
	obstacle: () => undefined,
	async run(share) {
		const machine = await HostileMachine.make(1, true);
		const result = attack(machine, share, true);
		const {rounds, instructions, translations} = machine.vcpu.processor.core.state.lockstep;
		if (rounds < share.count) return judged(share.count, [`only ${rounds} runs were compared`]);
		return {...result, counts: {translations, 'runs compared': rounds, 'of their instructions': instructions}};
	},
};

/** Such guests beside a processor that rewrites their code, page tables and descriptors. */
export const rewrites: ProofPart = {
	name: 'rewrites',
	title: 'nor what it does while another processor rewrites its code, page tables and descriptors',
	oracle: 'manual',
	unit: 'scenes',
	daily: 7 * modes.length,
	whole: 500 * modes.length,
	share: 100,
	threads: 2,
	obstacle: () => undefined,
	async run(share) {
		const machine = await HostileMachine.make(2);
		const rewriter = new Rewriter(machine.second);
		rewriter.begun();
		const result = attack(machine, share, false);
		const {status, rounds} = await rewriter.end();
		const wrong = [...result.differences];
		if (status !== 0) wrong.push(`the thread of the other processor ended by status ${status}`);
		if (share.count >= modes.length && rounds <= fewRounds) wrong.push(`the other processor came to ${rounds} rounds`);
		if (!machine.works()) wrong.push('a program behind all scenes is not executed right');
		return wrong.length > result.differences.length ? judged(share.count, wrong) : result;
	},
};
