import {existsSync} from 'node:fs';
import {join} from 'node:path';

/** A disk of the tests' pipeline with Debian's Node.js and Java. It is only read. */
export const runtimesDisk: string = join(process.cwd(), '.packages/runtimes/disk.img');

/** True where there is that disk. */
export const hasRuntimes = (): boolean => existsSync(runtimesDisk);

/** Lines of shell that mount the disk in the tests' initial file system, where it is the first one. */
export const mountRuntimes: readonly string[] = [
	'modprobe -a virtio_pci virtio_blk ext4',
	'mount -t ext4 -o ro /dev/vda /mnt',
	'mount -t tmpfs tmp /mnt/tmp',
	'mount -t proc proc /mnt/proc',
	'mount --bind /dev /mnt/dev',
];

/** What prints the answers of `test/bench/guests/answers.mjs` and `Answers.java`, or with a name and a number does this work so many times. */
export const runtimes = {
	node: 'chroot /mnt node /opt/answers.mjs',
	java: 'chroot /mnt /usr/lib/jvm/default-java/bin/java /opt/Answers.java',
} as const;
