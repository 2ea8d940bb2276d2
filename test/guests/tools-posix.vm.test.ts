import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {testFolder} from './testing/api-machine.ts';
import {kernelComplaint, toolsMachine, toolsTest} from './testing/tools-machine.ts';

/** What Linux's ext4 says. */
const expected = `made: ok EEXIST
open: ELOOP ENOTDIR EISDIR ELOOP ENOENT ENOTDIR EEXIST
appended: one two
cut: 0
access: EBADF EBADF
unnamed: still 0 gone
opened again: ok 6 still there
changed: ok 600 ok st ok 6
without a name: ok 4
named: 0 text 1
renamed: ok old new 0
not over: EEXIST 0
swapped: 0 a b ENOENT
directories: EINVAL EISDIR ENOTDIR EPERM 3
links: ok 2 ok 2 EEXIST
holes: 1048579 few 1048576 1048579 ENXIO
lengths: ok 5000000000 ok zeros
times: ok 1234567890.50 1234567890.75
long ago: ok -5 -7
far: ok 4102444800
modes: 0 644 1777 ENOENT
owners: ok 1000:100 ok 0:100
set: 0 value 5 ERANGE ENODATA
how: EEXIST ENODATA 0 changed
empty: 0 <>
list: user.one user.two
remove: 0 ENODATA
big: 0 same
whole: ok EAGAIN ok ok ok ok ok
range: ok
of another program: ok EAGAIN ok 1 10 10
`;

toolsTest('files of a folder with extended attributes and locks are what files of Linux are', async (t) => {
	const folder = testFolder(t, 'posix');
	const device = {
		kind: 'virtio-fs-mmio',
		name: 'checks',
		options: {tag: 'checks', folder, xattrs: true, locks: true, owner: 'mapped', base: 0xd000_0000},
	};
	// The guest has no mount(8): for another folder its agent has loaded what the kernel needs.
	const folders = {'/mnt/other': testFolder(t, 'other')};
	const vm = await toolsMachine(t, {network: false, folders, devices: [device]});
	await vm.files.write('/tmp/checks.pl', readFileSync(join(process.cwd(), 'test/guests/testing/file-checks.pl')));
	const mount = 'my @words = qw(checks /checks virtiofs); mkdir $words[1]; syscall(165, @words, 0, 0) == 0 or die $!';
	const {stdout, stderr} = await vm.exec(`perl -e '${mount}' && cd /checks && perl /tmp/checks.pl`);
	t.is(stdout, expected, stderr);
	t.deepEqual(readdirSync(folder).sort(), ['b', 'b2', 'c', 'd', 'f', 'holes', 'l', 'named', 'new', 'x']);
	t.is(statSync(join(folder, 'named')).size, 4);
	t.is(await kernelComplaint(vm), '');
});
