import {parseArgs} from 'node:util';
import {type Command, runNode} from '../core/index.ts';
import {restorePackages} from '../nodes/restore-packages.ts';

/** Fetches what tests boot. */
export const restorePackagesCommand: Command = {
	name: 'restore-packages',
	usage: '[--refresh]',
	summary:
		'Fetch a stock Debian kernel, Xen, memtest86+ and busybox into .packages/ and build the initial file systems of tests',
	async run(words) {
		const {values} = parseArgs({args: [...words], options: {refresh: {type: 'boolean', default: false}}});
		await runNode(restorePackages, {refresh: values.refresh});
		return 0;
	},
};
