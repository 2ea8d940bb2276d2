import type {VmmError} from '#support/errors';
import type {Hypervisor} from '#vcpu-worker/hypervisor';

/** The hypervisor that a machine runs on. */
export interface ChosenHypervisor<H = Hypervisor> {
	readonly hypervisor: H;
	/** Reason for this one, for a person. */
	readonly reason: string;
}

/**
 * Takes the first hypervisor that works here.
 * @throws VmmError of the first where none works, for that is the one to mend
 */
export async function choose<H extends Pick<Hypervisor, 'refusal'>>(
	candidates: readonly (() => Promise<H>)[],
): Promise<ChosenHypervisor<H>> {
	const refusals: VmmError[] = [];
	for (const load of candidates) {
		const hypervisor = await load();
		const refusal = hypervisor.refusal();
		if (refusal === undefined) return {hypervisor, reason: reasonAfter(refusals)};
		refusals.push(refusal);
	}
	throw refusals[0] ?? new TypeError('there is no hypervisor to choose from');
}

const reasonAfter = (refusals: readonly VmmError[]): string =>
	refusals.length === 0 ? 'it is the first choice, and works here' : refusals.map(({message}) => message).join('; ');
