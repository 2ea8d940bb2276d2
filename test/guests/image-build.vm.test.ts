import {execFile} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import type {MadeDeb} from '#main/debian/testing';
import {checkExt4, hasExt4Tools} from '#main/ext4/testing';
import {makeMirror, makeSigner, serveMirror} from '#main/mirror/testing';
import {backEndHere, reportedFacts, runsStockKernels, vmTest} from '#test/petri';
import {hasStockKernel} from '#test/stock-kernels';
import {stockPackages} from './testing/stock-packages.ts';

const program = join(process.cwd(), 'src/main/cli/launcher.mjs');

/** The system's first program, in place of a real one: it says what it sees, and powers off. */
const init = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc proc /proc
echo "openvmm-guest: name=$($b cat /etc/hostname)"
echo "openvmm-guest: disk=$($b grep " / " /proc/mounts | $b cut -d" " -f3,4 | $b cut -d, -f1)"
for file in /usr/bin/su /etc/shadow /var/tmp; do
	echo "openvmm-guest: $($b basename $file)=$($b stat -c "%a %u %g" $file)"
done
$b mount -o remount,ro /
$b poweroff -f
`;

const made: readonly MadeDeb[] = [
	{
		name: 'systemd-sysv',
		fields: ['Depends: busybox-static'],
		files: [
			{path: './sbin/init', data: init, mode: 0o755},
			{path: './usr/bin/su', data: 'su', mode: 0o4755, group: 42},
			{path: './var/tmp/', mode: 0o1777},
			{path: './dev/'},
			{path: './proc/'},
			{path: './usr/share/base-passwd/passwd.master', data: 'root:*:0:0:root:/root:/bin/bash\n'},
		],
	},
	...['udev', 'dbus', 'kmod'].map((name) => ({name})),
];

vmTest(
	'the command makes an image of signed packages, which boots by the line that it prints',
	{on: ['software'], skip: !hasStockKernel() || !runsStockKernels()},
	async (t) => {
		const folder = mkdtempSync(join(tmpdir(), 'openvmm-image-build-'));
		t.teardown(() => rmSync(folder, {recursive: true}));
		const signer = await makeSigner();
		const files = await makeMirror({debs: made, packages: await stockPackages(), signer, suite: 'bookworm'});
		const {address} = await serveMirror(t, files);
		writeFileSync(join(folder, 'keyring'), signer.keyring);
		const words = ['--base', 'essential', '--mirror', address, '--keyring', 'keyring', '--hostname', 'built'];
		const run = (more: readonly string[]) =>
			promisify(execFile)(process.execPath, [program, ...more], {
				cwd: folder,
				env: {...process.env, XDG_CACHE_HOME: folder},
			});
		const built = await run(['image', 'build', 'debian', ...words]);
		// The line that it prints, with nothing in it that a shell would change.
		const [, ...line] = built.stdout.trim().split(' ');
		const {stdout: output} = await run(['--hypervisor', backEndHere, ...line, '-c', 'quiet']);
		t.like(reportedFacts(output), {
			name: 'built',
			disk: 'ext4 rw',
			su: '4755 0 42',
			shadow: '640 0 42',
			tmp: '1777 0 0',
		});
		t.notRegex(output, /mount:/);
		const disk = join(folder, 'debian/disk.img');
		if (hasExt4Tools) checkExt4(t, disk);
	},
);
