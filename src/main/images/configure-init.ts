import {bytesContent, type FileTree} from '#main/file-tree';
import {addBusybox, addConsole, diskModules} from './initrd.ts';
import type {Kernel} from './kernel.ts';

/**
 * Serial numbers by which the guest knows its disks: the system, and where what has become of it goes. That is the names of all its files,
 * each with a zero behind it, and an archive of those that are not as they were.
 */
export const configureDisks = {system: 'system', files: 'files'} as const;

/** What the programs of packages find, and nothing else of the host. */
const environment = (time: number): string =>
	Object.entries({
		PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
		HOME: '/root',
		LC_ALL: 'C.UTF-8',
		DEBIAN_FRONTEND: 'noninteractive',
		// The console is a terminal.
		DPKG_COLORS: 'never',
		DEBCONF_NONINTERACTIVE_SEEN: 'true',
		SOURCE_DATE_EPOCH: String(time),
		// Byte code of Python's has sets in the order of their hashes.
		PYTHONHASHSEED: '0',
	})
		.map(([name, value]) => `${name}=${value}`)
		.join(' ');

/**
 * First program of a guest that does nothing but run the scripts of an image's packages. It stays in its initial file system, so that
 * nothing of it is on the disk. Services are not started (policy-rc.d, "invoke-rc.d" of Debian): they are for who boots the image.
 */
const configure = (modules: readonly string[], time: number): string => `#!/bin/busybox sh
b=/bin/busybox
set -o pipefail
say() { echo "openvmm-guest: $*"; }
off() { $b sync; $b poweroff -f; $b sleep 60; }
$b mkdir -p /dev /proc /sys /root
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
$b mount -t devtmpfs dev /dev
$b modprobe -a ${modules.join(' ')}
disk() {
	tries=0
	while [ $tries -lt 300 ]; do
		for each in /sys/block/vd*; do
			[ "$($b cat $each/serial)" = $1 ] && echo /dev/\${each##*/} && return
		done
		$b sleep 0.1
		tries=$((tries + 1))
	done
}
system=$(disk ${configureDisks.system})
files=$(disk ${configureDisks.files})
$b date -u -s @${time} >/dev/null
$b mount -t ext4 -o noatime "$system" /root || { say error=cannot mount the system; off; }
cd /root
# A file whose inode, status change time and name are the same is the same.
tool() { $b env -i LC_ALL=C $b chroot /root "$@"; }
list() { tool /usr/bin/find / -xdev -path /lost+found -prune -o -printf '%i %C@ %P\\0'; }
names() { tool /bin/sed --null-data "s:^[^ ]* [^ ]* :$1:"; }
list >/before || { say error=cannot list the files; off; }
for each in proc sys dev run; do [ -d $each ] || $b mkdir $each; done
$b mount -t proc proc proc
$b mount -t sysfs sys sys
$b mount -t devtmpfs dev dev
$b mkdir -p dev/pts dev/shm
$b mount -t devpts pts dev/pts
$b mount -t tmpfs shm dev/shm
$b mount -t tmpfs -o mode=755 run run
$b mkdir run/lock
policy=usr/sbin/policy-rc.d
own=no
if [ ! -e $policy ]; then
	own=yes
	printf '#!/bin/sh\\nexit 101\\n' >$policy
	$b chmod 755 $policy
fi
run() { $b env -i ${environment(time)} $b chroot /root "$@" </dev/null 2>&1; }
run /usr/bin/dpkg --force-confdef --force-confold --force-unsafe-io --configure -a
status=$?
# The files that stood in for it would count as the user's own.
if [ $status = 0 ] && [ -x usr/sbin/pam-auth-update ]; then
	run /usr/sbin/pam-auth-update --package --force
	status=$?
fi
[ $own = no ] || $b rm $policy
if [ $status = 0 ]; then
	# Whatever a script has left running holds what is to be unmounted.
	kill -9 -1
	for each in run dev/shm dev/pts dev sys proc; do $b umount -l $each; done
	changed() {
		# What was there before comes more than once.
		$b cat /before /before /after | tool /usr/bin/sort --zero-terminated | tool /usr/bin/uniq --zero-terminated --unique | names ./ |
			tool /bin/tar --create --file=- --format=posix --pax-option=delete=atime,delete=ctime --numeric-owner --xattrs \\
				--xattrs-include=security.capability --directory=/ --no-recursion --null --files-from=-
	}
	list >/after && names '' </after >/names && names=$($b wc -c </names) &&
		bytes=$({ $b cat /names && changed; } | $b tee "$files" | $b wc -c) || status=1
	say names=$names
	say bytes=$bytes
fi
$b sync
say status=$status
off
`;

/**
 * Makes the initial file system of a guest that configures packages.
 * @param busybox - an unpacked busybox-static
 * @param time - what its clock is set to, in seconds since 1970
 * @throws VmmError IMAGE_KERNEL_MISSING, IMAGE_MODULE_MISSING, IMAGE_MODULE_DAMAGED
 */
export async function addConfigureInit(tree: FileTree, busybox: FileTree, kernel: Kernel, time: number): Promise<void> {
	addBusybox(tree, busybox);
	addConsole(tree);
	const modules = diskModules(kernel);
	await kernel.addModules(tree, modules);
	tree.addFile('init', bytesContent(configure(modules, time)), 0o755);
}
