import {type Command, PATHS, runNode} from '../core/index.ts';
import {checkImportCircles} from '../nodes/import-circles.ts';

/** Part of `npm run check`. */
export const circlesCommand: Command = {
	name: 'circles',
	usage: '',
	summary: 'Refuse files and folders that import each other in a circle',
	async run() {
		await runNode(checkImportCircles, PATHS.repo);
		return 0;
	},
};
