import type {VmmError} from '#support/errors';
import type {Hypervisor} from '#vcpu-worker/hypervisor';

/** The hypervisor that a machine runs on. */
export interface ChosenHypervisor<H = Hypervisor> {
	readonly hypervisor: H;
	/** Reason for this one, for a person. */
	readonly reason: string;
}

/**
 * Takes the first hypervisor that works here and has no drawback; else the first that works.
 * @throws VmmError of the first where none works, for that is the one to mend
 */
export async function choose<H extends Pick<Hypervisor, 'refusal' | 'drawback'>>(
	candidates: readonly (() => Promise<H>)[],
): Promise<ChosenHypervisor<H>> {
	const refusals: VmmError[] = [];
	const against: string[] = [];
	let second: ChosenHypervisor<H> | undefined;
	for (const load of candidates) {
		const hypervisor = await load();
		const refusal = hypervisor.refusal();
		const drawback = refusal === undefined ? hypervisor.drawback?.() : refusal.message;
		if (refusal !== undefined) refusals.push(refusal);
		if (drawback === undefined) return {hypervisor, reason: reasonAfter(against)};
		if (refusal === undefined) second ??= {hypervisor, reason: `no other works here, but: ${drawback}`};
		against.push(drawback);
	}
	if (second !== undefined) return second;
	throw refusals[0] ?? new TypeError('there is no hypervisor to choose from');
}

const reasonAfter = (against: readonly string[]): string =>
	against.length === 0 ? 'it is the first choice, and works here' : against.join('; ');
