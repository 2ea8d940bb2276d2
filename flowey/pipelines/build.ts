import {type Command, PATHS, runNode} from '../core/index.ts';
import {build} from '../nodes/build.ts';
import {ENTRY_POINTS} from '../nodes/entry-points.ts';
import {generateFiles} from '../nodes/generate-files.ts';

/** Builds what users run. */
export const buildCommand: Command = {
	name: 'build',
	usage: '',
	summary: 'Bundle the sources into dist/',
	async run() {
		await buildPackage();
		return 0;
	},
};

/** Makes `dist/` of the sources as they are. */
export async function buildPackage(): Promise<void> {
	await runNode(build, {entryPoints: ENTRY_POINTS, folder: PATHS.dist});
	await runNode(generateFiles, {folder: PATHS.dist});
}
