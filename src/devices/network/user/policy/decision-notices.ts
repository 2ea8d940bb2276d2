import type {DeviceNotice} from '#devices/device-type';
import {type DecisionRingView, decisionText, type KeptDecision, keptDecisions} from './decision-ring.ts';

/** Notices of one call: a guest can have as many decisions as it likes. */
const mostTold = 8;

const kind = 'network-decision';

/** Decisions that are alike. */
interface Alike {
	readonly decision: KeptDecision;
	count: number;
}

/**
 * What there is to tell of a network's decisions since the last call: those that are alike at once, refusals first, and how many there were besides.
 * @param refusals - how many there have been
 */
export function decisionNotices(ring: DecisionRingView, refusals: () => number): () => readonly DeviceNotice[] {
	let [known, knownRefusals] = [0, 0];
	return () => {
		const [count, refused] = [ring.count, refusals()];
		const [fresh, freshRefusals] = [(count - known) >>> 0, refused - knownRefusals];
		// The memory of a device that is no more has been given back.
		if (fresh === 0 || count === 0) return [];
		const all = together(keptDecisions(ring, known, count));
		[known, knownRefusals] = [count, refused];
		const told = [...all.filter(isRefusal), ...all.filter((each) => !isRefusal(each))].slice(0, mostTold);
		const more = fresh - total(told);
		const moreRefusals = Math.min(more, Math.max(0, freshRefusals - total(told.filter(isRefusal))));
		return [...told.map(noticeOf), ...(more > 0 ? [noticeOfMore(more, moreRefusals)] : [])];
	};
}

const isRefusal = ({decision}: Alike): boolean => decision.kind === 'refuse';
const total = (all: readonly Alike[]): number => all.reduce((sum, {count}) => sum + count, 0);

function together(decisions: readonly KeptDecision[]): readonly Alike[] {
	const all = new Map<string, Alike>();
	for (const decision of decisions) {
		const key = `${decision.kind} ${decisionText(decision)}`;
		const alike = all.get(key);
		if (alike === undefined) all.set(key, {decision, count: 1});
		else alike.count++;
	}
	return [...all.values()];
}

function noticeOf({decision, count}: Alike): DeviceNotice {
	const {kind: verdict, detail, ...attempt} = decision;
	const known = Object.entries({...attempt, ...(detail !== '' && {detail})}).filter(([, value]) => value !== undefined);
	return {
		kind,
		level: verdict === 'refuse' ? 'info' : 'debug',
		message: `The network ${verdict}s ${decisionText(decision)}${count > 1 ? `, ${count} times` : ''}`,
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
