import {join} from 'node:path';
import {type Command, PATHS, runNode} from '../core/index.ts';
import {declarations} from '../nodes/declarations.ts';
import {LIBRARIES} from '../nodes/entry-points.ts';

/** Takes longer than the build, and only who installs the package needs it: `npm pack` and `npm publish` run it. */
export const declarationsCommand: Command = {
	name: 'declarations',
	usage: '',
	summary: 'Write the type declarations of the package into dist/types/',
	async run() {
		await runNode(declarations, {entryPoints: LIBRARIES, folder: join(PATHS.dist, 'types')});
		return 0;
	},
};
