import {chosenCpuid, withoutHidden} from './chosen-cpuid.ts';
import type {CpuidEntry} from './cpuid-entry.ts';
import type {CpuidTopology} from './cpuid-topology.ts';
import {Leaf} from './leaves.ts';
import {hostCpu} from './models.ts';
import {applyRules, type CpuidContext, type CpuidOptions} from './policy.ts';
import {isAmdHost} from './processor-facts.ts';
import {cpuidRules} from './rules.ts';

/** A decision about some processors, and the answers of those that were asked for. */
interface Known {
	/** The options, as text. */
	readonly asked: string;
	readonly decide: (topology: CpuidTopology) => readonly CpuidEntry[];
	readonly answers: Map<string, readonly CpuidEntry[]>;
}

/** The last of each offer: clones of a machine ask for the same. */
const latest = new WeakMap<readonly CpuidEntry[], Known>();
const mostPlaces = 64;

/**
 * Gives the CPUID of the guest's processors, each by its place. What they have in common is decided once.
 * @param offer - see `ProcessorOffer`
 */
export function guestCpuid(
	offer: readonly CpuidEntry[],
	options: CpuidOptions,
): (topology: CpuidTopology) => readonly CpuidEntry[] {
	const asked = JSON.stringify(options);
	let known = latest.get(offer);
	if (known?.asked !== asked) {
		known = {asked, decide: decided(offer, options), answers: new Map()};
		latest.set(offer, known);
	}
	const {decide, answers} = known;
	return (topology) => {
		const place = JSON.stringify(topology);
		const answer = answers.get(place) ?? decide(topology);
		if (answers.size < mostPlaces) answers.set(place, answer);
		return answer;
	};
}

function decided(offer: readonly CpuidEntry[], options: CpuidOptions): (topology: CpuidTopology) => CpuidEntry[] {
	const {cpu = hostCpu, onRequest = []} = options;
	const offered = chosenCpuid(offer, cpu, onRequest);
	const isAmd = isAmdHost(offered);
	const maxBasic = offered.find((entry) => entry.function === Leaf.vendor)?.eax ?? 0;
	return (topology) => {
		const context: CpuidContext = {options, topology, isAmd, maxBasic, offered};
		// Some rules show what the offer does not have by itself.
		return withoutHidden(applyRules(cpuidRules, context), cpu);
	};
}
