/** Installs what the incubator consists of, where that is ours to do. */

import {findProgram, missingHostPackages} from '#test/incubator';
import {execute, FloweyError, type FloweyNode, type NodeContext} from '../core/index.ts';

/** True when {@link installQemu} can be expected to succeed. */
export function canInstallPackages(): boolean {
	return process.getuid?.() === 0 && findProgram('apt-get') !== undefined;
}

/** Only for machines that are thrown away, and for those who ask: it changes the system. */
export const installQemu: FloweyNode<void, void> = {
	name: 'install-qemu',
	async run(context) {
		if (missingHostPackages().length === 0) {
			context.skip('already installed');
			return;
		}
		const env = {...process.env, DEBIAN_FRONTEND: 'noninteractive'};
		if (canInstallPackages()) {
			await execute('apt-get', ['update'], {env});
		}
		// The list of packages missing beside QEMU depends on the release, and shows once QEMU is there.
		for (let round = 0; round < 2 && missingHostPackages().length > 0; round++) {
			await install(context, missingHostPackages(), env);
		}
	},
};

async function install(context: NodeContext, wanted: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
	if (!canInstallPackages()) {
		throw new FloweyError(`Missing: ${wanted.join(' ')}`, `Install it: sudo apt-get install ${wanted.join(' ')}`);
	}
	context.log(`apt-get install ${wanted.join(' ')}`);
	const result = await execute('apt-get', ['install', '--yes', '--no-install-recommends', ...wanted], {env});
	if (result.status !== 0) {
		throw new FloweyError(
			`apt-get could not install ${wanted.join(' ')}: ${result.stderr.trim().split('\n').at(-1)}`,
			'Check that this machine reaches its package mirror: apt-get update.',
		);
	}
}
