import type {DeviceNotice} from '#devices/device-type';
import {
	type CountedDecision,
	type DecisionRings,
	type DecisionRingView,
	decisionText,
	keptDecisions,
	timesText,
} from './decision-ring.ts';

/** Notices of one call about refusals, and about other decisions: a guest can have as many as it likes. */
const mostTold = 8;

const kind = 'network-decision';

/**
 * What there is to tell of a network's decisions since the last call: so many refusals, so many others, and how many there were besides that nobody will be
 * told of. What is kept and not told yet is told by the next call.
 */
export function decisionNotices({refusals, others}: DecisionRings): () => readonly DeviceNotice[] {
	const read = [new RingReader(refusals), new RingReader(others)] as const;
	return () => {
		const [refused, passed] = read.map((ring) => ring.read()) as [Fresh, Fresh];
		const more = refused.more + passed.more;
		return [
			...[...refused.told, ...passed.told].map(noticeOf),
			...(more > 0 ? [noticeOfMore(more, refused.more)] : []),
		];
	};
}

/** What one ring has to tell. */
interface Fresh {
	readonly told: readonly CountedDecision[];
	/** Decisions that nothing there says more of. */
	readonly more: number;
}

/** Knows what has been told of a ring. */
class RingReader {
	readonly #ring: DecisionRingView;
	/** How often each that is kept was decided when it was told, by its number. */
	#told = new Map<number, number>();
	/** Decisions that are accounted for. */
	#known = 0;

	constructor(ring: DecisionRingView) {
		this.#ring = ring;
	}

	read(): Fresh {
		const {total} = this.#ring;
		// The memory of a device that is no more has been given back.
		if (total === 0) return {told: [], more: 0};
		const all = keptDecisions(this.#ring);
		const fresh = all.flatMap((each) => {
			const count = each.count - (this.#told.get(each.number) ?? 0);
			return count === 0 ? [] : [{...each, count}];
		});
		const told = fairly(fresh).slice(0, mostTold);
		const isTold = new Set(told.map(({number}) => number));
		this.#told = new Map(
			all.flatMap(({number, count}) => {
				const known = isTold.has(number) ? count : this.#told.get(number);
				return known === undefined ? [] : [[number, known]];
			}),
		);
		// Those that came while it was read are counted by the next call.
		const more = Math.max(0, ((total - this.#known) | 0) - countOf(fresh));
		this.#known = (this.#known + countOf(told) + more) >>> 0;
		return {told, more};
	}
}

const countOf = (all: readonly CountedDecision[]): number => all.reduce((sum, {count}) => sum + count, 0);

/** First one of each guest, protocol and reason. */
function fairly(all: readonly CountedDecision[]): readonly CountedDecision[] {
	const alike = Map.groupBy(all, ({decision: {guest, protocol, detail}}) => `${guest} ${protocol} ${detail}`);
	const firsts = new Set([...alike.values()].map(([first]) => first));
	return [...all.filter((each) => firsts.has(each)), ...all.filter((each) => !firsts.has(each))];
}

function noticeOf({decision, count}: CountedDecision): DeviceNotice {
	const {kind: verdict, detail, ...attempt} = decision;
	const known = Object.entries({...attempt, ...(detail !== '' && {detail})}).filter(([, value]) => value !== undefined);
	return {
		kind,
		level: verdict === 'refuse' ? 'info' : 'debug',
		message: `The network ${verdict}s ${decisionText(decision)}${timesText(count)}`,
		details: {decision: verdict, ...(Object.fromEntries(known) as Record<string, string | number>), count},
		pauses: false,
	};
}

const noticeOfMore = (count: number, refusals: number): DeviceNotice => ({
	kind,
	level: refusals > 0 ? 'info' : 'debug',
	message: `The network has decided ${count} times more, ${refusals} of them to refuse`,
	details: {count, refusals},
	pauses: false,
});
