/** Makes a disk below `.packages/guest-tools/` that has the programs which tests run in a guest as its user would: curl, ssh, git and others. */

import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Apt} from '#main/debian';
import {type DebianImageConfig, makeDebianImage} from '#main/images';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {imageRecipe, isMadeBy} from './image-code.ts';

const config: DebianImageConfig = {
	base: 'essential',
	packages: ['apt', 'curl', 'git', 'iperf3', 'nodejs', 'openssh-client', 'openssh-server'],
	kernel: 'linux-image-cloud-amd64',
	modules: [],
	hostName: 'tools',
	time: 1_790_000_000,
	sizeBytes: 1024 * 2 ** 20,
};
// Tests boot the stock kernels that they have anyhow.
const [kernel, initrd, disk, stamp] = ['vmlinuz', 'initrd.gz', 'disk.img', 'recipe.sha256'].map((name) =>
	join(PATHS.guestTools, name),
) as [string, string, string, string];

/** Downloads some 80 MB once, and does nothing when what there is was made by the same recipe. */
export const restoreGuestTools: FloweyNode<void, void> = {
	name: 'restore-guest-tools',
	async run(context) {
		const recipe = imageRecipe(JSON.stringify(config));
		if (isMadeBy(recipe, stamp, [disk])) {
			context.skip('up to date');
			return;
		}
		context.log('downloading packages and making a disk of them');
		mkdirSync(PATHS.guestTools, {recursive: true});
		rmSync(stamp, {force: true});
		await makeDebianImage(new Apt(join(PATHS.packages, 'apt')), config, {kernel, initrd, disk});
		writeFileSync(stamp, recipe);
	},
};
