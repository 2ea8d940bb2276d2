import {listOf, record, textUpTo, type ValueOf} from '#support/saved-state';
import {type CpuidEntry, missingNeeds, processorNeeds} from '#vcpu-worker/cpuid';
import {snapshotError} from './errors.ts';

const mostUnits = 16;
const mostLetters = 40;

/** The hypervisor that a machine was saved on, as the manifest has it. */
export const savedHypervisor = record({
	/** See `Hypervisor.kind`. */
	kind: textUpTo(mostLetters),
	/** State units that were the hypervisor's. */
	units: listOf(textUpTo(mostLetters), mostUnits),
	/** The needs of all processors, for those who only look at a snapshot: restoring looks at each processor's own. */
	needs: processorNeeds,
});
export type SavedHypervisor = ValueOf<typeof savedHypervisor>;

/** The hypervisor that a machine is to be restored on. */
export interface OfferedHypervisor {
	readonly kind: string;
	readonly units: readonly string[];
	/** Answers of CPUID. */
	readonly cpuid: readonly CpuidEntry[];
}

/**
 * Finds out whether a hypervisor can take what another one had.
 * @param directory - the snapshot's, for the error
 * @throws VmmError SNAPSHOT_HYPERVISOR_LACKS
 */
export function checkHypervisor(
	directory: string,
	{kind: savedBy, units: savedUnits, needs}: SavedHypervisor,
	{kind, units, cpuid}: OfferedHypervisor,
): void {
	const unknown = savedUnits.filter((unit) => !units.includes(unit)).map((unit) => `the state of ${unit}`);
	const missing = [...missingNeeds(needs, cpuid), ...unknown];
	if (missing.length > 0) throw snapshotError('SNAPSHOT_HYPERVISOR_LACKS', {directory, savedBy, kind, missing});
}
