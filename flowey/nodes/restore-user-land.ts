/** Makes the Debian with systemd whose programs a test runs: a kernel, an initial file system and a disk below `.packages/`. */

import {mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Apt} from '#main/debian';
import {type DebianImageConfig, makeDebianImage} from '#main/images';
import {type FloweyNode, PATHS} from '../core/index.ts';
import {imageRecipe, isMadeBy} from './image-code.ts';

const config: DebianImageConfig = {
	base: 'essential',
	packages: [
		...['systemd-sysv', 'udev', 'dbus', 'kmod'],
		...['openssl', 'python3', 'perl', 'sqlite3', 'gcc', 'libc6-dev', 'stress-ng'],
		...['fio', 'e2fsprogs', 'btrfs-progs', 'nvme-cli'],
	],
	kernel: 'linux-image-cloud-amd64',
	// systemd mounts by one what is asked for, the other among it.
	modules: ['autofs4', 'binfmt_misc', 'btrfs', 'nvme'],
	// What is to be run is on a disk of its own, so that the first one is the same for any test. It may be all that runs, without systemd.
	commands: [
		'mountpoint -q /proc || mount -t proc proc /proc',
		'mountpoint -q /sys || mount -t sysfs sys /sys',
		'for disk in /sys/block/vd*; do [ "$(cat $disk/serial)" != script ] || exec sh /dev/$(basename $disk); done',
		'false',
	],
	hostName: 'guest',
	time: 1_790_000_000,
	sizeBytes: 1280 * 2 ** 20,
};
const [kernel, initrd, disk, stamp] = ['vmlinuz', 'initrd.gz', 'disk.img', 'recipe.sha256'].map((name) =>
	join(PATHS.userLand, name),
) as [string, string, string, string];

/** Does nothing when what there is was made by the same recipe. */
export const restoreUserLand: FloweyNode<void, void> = {
	name: 'restore-user-land',
	async run(context) {
		const recipe = imageRecipe(JSON.stringify(config));
		if (isMadeBy(recipe, stamp, [kernel, initrd, disk])) {
			context.skip('up to date');
			return;
		}
		context.log('downloading packages and making an image of them, which takes a minute');
		mkdirSync(PATHS.userLand, {recursive: true});
		rmSync(stamp, {force: true});
		await makeDebianImage(new Apt(join(PATHS.packages, 'apt')), config, {kernel, initrd, disk});
		writeFileSync(stamp, recipe);
	},
};
