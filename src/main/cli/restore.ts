import {type ClockPolicy, parseClockPolicy} from '#main/config';
import type {OpenSnapshot} from '#main/snapshot';
import {publicApi} from '#main/workers';
import type * as PublicApi from '../index.ts';
import {cliError} from './errors.ts';
import {type FlagValues, parseFlags} from './parse.ts';
import {hostWord, shapeFlags, shapeWords, withShape} from './shape-words.ts';
import {type Environment, type RunConfig, toConfig} from './to-config.ts';

/** A snapshot, and the machines that can be made from it. */
export interface Restoring {
	readonly begin: {readonly snapshot: OpenSnapshot; readonly clock?: ClockPolicy};
	/** The flags that the snapshot brings. */
	readonly saved: FlagValues;
	/**
	 * A machine as a command line completed by the snapshot asks for it.
	 * @returns with the words for the snapshots that it will be saved to in turn
	 * @throws what {@link toConfig} throws
	 */
	configure(flags: FlagValues): {readonly config: RunConfig; readonly shapeWords: readonly string[]};
}

/**
 * Opens the snapshot of `--restore-snapshot`.
 * @throws VmmError SNAPSHOT_…, CLI_SNAPSHOT_FLAG, CONFIG_VALUE_INVALID
 */
export async function openForRestore(flags: FlagValues, env: Environment): Promise<Restoring> {
	const clock = flags.last('clock');
	const policy = clock === undefined ? {} : {clock: parseClockPolicy(clock, '--clock')};
	const {openSnapshot, verifySnapshot} = (await import(publicApi.href)) as typeof PublicApi;
	const snapshot = openSnapshot(flags.last('restore-snapshot') ?? '');
	try {
		if (flags.has('verify-snapshot')) await verifySnapshot(snapshot);
		const saved = savedFlags(snapshot);
		const boot = snapshot.manifest.boot === 'embedded' ? undefined : ({kind: 'none'} as const);
		const configure = (given: FlagValues) => {
			const values = withShape(given, saved);
			const config = toConfig(values, env, boot);
			return {config, shapeWords: shapeWords(values, config.vm)};
		};
		return {begin: {snapshot, ...policy}, saved, configure};
	} catch (error) {
		snapshot.close();
		throw error;
	}
}

/** A snapshot may be anybody's: it shapes the machine, and reaches nothing of the host. */
function savedFlags({directory, manifest}: OpenSnapshot): FlagValues {
	const isShape = (word: string) => shapeFlags.some(({name}) => word === `--${name}` || word.startsWith(`--${name}=`));
	const other = manifest.arguments.find((word) => !isShape(word));
	if (other !== undefined) throw cliError('CLI_SNAPSHOT_FLAG', {directory, word: other});
	const saved = parseFlags(manifest.arguments);
	const word = hostWord(saved);
	if (word !== undefined) throw cliError('CLI_SNAPSHOT_FLAG', {directory, word});
	return saved;
}
