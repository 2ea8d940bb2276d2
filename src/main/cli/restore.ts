import type {OpenSnapshot} from '#main/snapshot';
import {publicApi} from '#main/workers';
import type * as PublicApi from '../index.ts';
import {cliError} from './errors.ts';
import {type FlagValues, parseFlags} from './parse.ts';
import {shapeFlags, shapeWords, withShape} from './shape-words.ts';
import {type Environment, type RunConfig, toConfig} from './to-config.ts';

/** A machine to be restored. */
export interface Restoring {
	readonly config: RunConfig;
	readonly snapshot: OpenSnapshot;
	/** For the snapshots that it will be saved to in turn. */
	readonly shapeWords: readonly string[];
}

/**
 * Opens the snapshot of `--restore-snapshot` and completes the command line with what it brings.
 * @throws VmmError SNAPSHOT_…, CLI_SNAPSHOT_FLAG, and what {@link toConfig} throws
 */
export async function openForRestore(flags: FlagValues, env: Environment): Promise<Restoring> {
	const {openSnapshot, verifySnapshot} = (await import(publicApi.href)) as typeof PublicApi;
	const directory = flags.last('restore-snapshot') ?? '';
	const snapshot = openSnapshot(directory);
	try {
		if (flags.has('verify-snapshot')) await verifySnapshot(snapshot);
		const values = withShape(flags, savedFlags(snapshot));
		const isEmbedded = snapshot.manifest.boot === 'embedded';
		const config = toConfig(values, env, isEmbedded ? undefined : {kind: 'none'});
		return {config, snapshot, shapeWords: shapeWords(values, config.vm)};
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
	const memory = saved.last('memory');
	if (memory !== undefined && !/^\d+K$/.test(memory))
		throw cliError('CLI_SNAPSHOT_FLAG', {directory, word: `--memory=${memory}`});
	return saved;
}
