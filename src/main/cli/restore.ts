import {type ClockPolicy, parseClockPolicy} from '#main/config';
import type {OpenSnapshot} from '#main/snapshot';
import {withProgress} from './given-up.ts';
import type {FlagValues} from './parse.ts';
import {checkNeeds, type Environment, type RunConfig, type Saved, toOptions} from './to-config.ts';

/** A snapshot, and the machines that can be made from it. */
export interface Restoring {
	readonly begin: {readonly snapshot: OpenSnapshot; readonly clock?: ClockPolicy};
	/** Choices that the snapshot brings. */
	readonly saved: Saved;
	/**
	 * A machine as a command line completed by the snapshot asks for it.
	 * @throws what {@link toOptions}, `restoredConfig` and `checkGivenAgain` throw
	 */
	configure(flags: FlagValues): Promise<RunConfig>;
}

/**
 * Opens the snapshot of `--restore-snapshot`.
 * @throws VmmError SNAPSHOT_…, CONFIG_VALUE_INVALID
 */
export async function openForRestore(flags: FlagValues, env: Environment): Promise<Restoring> {
	const clock = flags.last('clock');
	const policy = clock === undefined ? {} : {clock: parseClockPolicy(clock, '--clock')};
	const {checkGivenAgain, openSnapshot, restoredConfig, verifySnapshot} = await import('#main/snapshot');
	const snapshot = openSnapshot(flags.last('restore-snapshot') ?? '');
	try {
		if (flags.has('verify-snapshot'))
			await withProgress('verifies the snapshot', (asked) => verifySnapshot(snapshot, asked));
		const {boot, asked} = snapshot.manifest;
		const saved: Saved = {boot, hasDevice: (name) => asked.devices.has(name)};
		const configure = async (given: FlagValues): Promise<RunConfig> => {
			const {vm: options, process} = toOptions(given, env, saved);
			const vm = await restoredConfig(snapshot, options);
			checkGivenAgain(snapshot, vm);
			checkNeeds(given, vm);
			return {vm, process};
		};
		return {begin: {snapshot, ...policy}, saved, configure};
	} catch (error) {
		snapshot.close();
		throw error;
	}
}
