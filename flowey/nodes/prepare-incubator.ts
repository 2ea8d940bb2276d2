/** Makes sure that an incubator can start. */

import {missingHostPackages} from '#test/incubator';
import {FloweyError, type FloweyNode, runNode} from '../core/index.ts';
import {canInstallPackages, installQemu} from './install-qemu.ts';
import {restorePackages} from './restore-packages.ts';

/** Installs system packages only when `mayInstall`; throws {@link FloweyError} when something is missing. */
export const prepareIncubator: FloweyNode<{readonly mayInstall: boolean}, void> = {
	name: 'prepare-incubator',
	async run(_context, {mayInstall}) {
		if (mayInstall && canInstallPackages()) {
			await runNode(installQemu, undefined);
		}
		const missing = missingHostPackages();
		if (missing.length > 0) {
			throw new FloweyError(
				`The incubator needs packages that are not installed: ${missing.join(' ')}`,
				`apt-get install ${missing.join(' ')}`,
			);
		}
		await runNode(restorePackages, {refresh: false});
	},
};
