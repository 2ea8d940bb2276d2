// What POSIX says of files, as lines: what is to come of a step, and the step. Each case is done by a client of each server over each kind of folder that is
// written to, in a folder of its own. What a user may not do is none of it: that the guest's kernel decides.
import {mkdtempSync, rmSync} from 'node:fs';
import * as nodeFiles from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test, {type ExecutionContext} from 'ava';
import {type Folder, folderDefaults} from '#devices/folder';
import {openHostFolder} from '#devices/folder/host';
import {calledObject} from '#devices/folder/object/testing';
import {folderAt} from './folder-at.ts';
import {memoryFolder} from './memory-folder.ts';
import {overlayFolder} from './overlay-folder.ts';
import {FuseClient} from './testing/fuse-client.ts';
import {P9Files} from './testing/p9-files.ts';
import {PosixSteps} from './testing/posix-steps.ts';

const cases: Readonly<Record<string, readonly string[]>> = {
	mkdir: [
		'0 mkdir d 0755',
		'directory,0755 stat d type,mode',
		'EEXIST mkdir d 0755',
		'0 create f 0644',
		'EEXIST mkdir f 0755',
		'0 symlink nowhere l',
		'EEXIST mkdir l 0755',
		'ENOENT mkdir missing/d 0755',
		'ENOTDIR mkdir f/d 0755',
		'0 mkdir {255} 0700',
		'ENAMETOOLONG mkdir {256} 0700',
		'ENAMETOOLONG mkdir {256}/d 0700',
		'0 mkdir d/sub 01777',
		'01777 stat d/sub mode',
		'.,..,sub ls d',
	],
	rmdir: [
		'0 mkdir d 0755',
		'0 mkdir d/sub 0755',
		'ENOTEMPTY rmdir d',
		'0 rmdir d/sub',
		'0 rmdir d',
		'ENOENT rmdir d',
		'ENOENT stat d type',
		'0 create f 0644',
		'ENOTDIR rmdir f',
		'ENOTDIR rmdir f/d',
		'0 symlink . l',
		'ENOTDIR rmdir l',
		'ENAMETOOLONG rmdir {256}',
	],
	unlink: [
		'0 create f 0644',
		'0 unlink f',
		'ENOENT unlink f',
		'ENOENT stat f type',
		'0 mkdir d 0755',
		'EISDIR unlink d',
		'ENOENT unlink missing/f',
		'0 create f 0644',
		'ENOTDIR unlink f/g',
		'0 symlink f l',
		'0 unlink l',
		'regular stat f type',
		'ENAMETOOLONG unlink {256}',
	],
	'unlink of what is open': [
		'0 create f 0644',
		'0 keep h f rw',
		'0 unlink f',
		'0,regular kstat h links,type',
		'0 kwrite h 0 still',
		'still kread h',
		'0 ktruncate h 2',
		'2 kstat h size',
		'st kread h',
		'0 create f 0600',
		'0 stat f size',
		'st kread h',
		'0 kclose h',
	],
	'a name of two': [
		'0 create one 0644',
		'0 write one w 0 text',
		'0 link one other',
		'2 stat other links',
		'0 keep h other r',
		'4 stat one size',
		'0 unlink one',
		'1 stat other links',
		'text kread h',
		'1 kstat h links',
		'0 kclose h',
	],
	open: [
		'ENOENT open f r',
		'0 create f 0640',
		'0640,0 stat f mode,size',
		'0 create f 0777',
		'0640 stat f mode',
		'EEXIST create f 0644 x',
		'0 create g 0444 x',
		'0444 stat g mode',
		'0 mkdir d 0755',
		'EEXIST create d 0644 x',
		'EISDIR create d 0644',
		'ENOTDIR create f/g 0644',
		'ENOENT create missing/g 0644',
		'ENAMETOOLONG create {256} 0644',
		'0 create {255} 0644',
		'0 write f w 0 content',
		'0 open f wt',
		'0 stat f size',
		'EBADF write f r 0 x',
		'0 symlink f l',
		'EEXIST create l 0644 x',
	],
	'append and holes': [
		'0 create f 0644',
		'0 write f w 0 one',
		'0 write f wa 0 two',
		'onetwo read f',
		'0 write f w 8 end',
		'11 stat f size',
		'onetwo\0\0end read f',
	],
	truncate: [
		'ENOENT truncate f 0',
		'0 create f 0644',
		'0 write f w 0 content',
		'0 truncate f 3',
		'con read f',
		'0 truncate f 5',
		'con\0\0 read f',
		'5 stat f size',
		'0 mkdir d 0755',
		'EISDIR truncate d 0',
		'EFBIG|EINVAL truncate f 1152921504606846976',
		'5 stat f size',
	],
	rename: [
		'0 create f 0644',
		'0 write f w 0 text',
		'0 rename f g',
		'ENOENT stat f type',
		'text read g',
		'0 rename g g',
		'text read g',
		'ENOENT rename f h',
		'0 mkdir d 0755',
		'0 mkdir d/sub 0755',
		'EINVAL rename d d/sub/d',
		'EISDIR rename g d',
		'ENOTDIR rename d g',
		'0 mkdir e 0755',
		'0 rename d e',
		'.,..,sub ls e',
		'ENOENT rename g missing/g',
		'ENOTDIR rename e g/e',
		'ENOTDIR rename g/x y',
		'0 mkdir full 0755',
		'0 create full/x 0644',
		'ENOTEMPTY|EEXIST rename e full',
		'0 create other 0600',
		'0 rename other g',
		'0600,0 stat g mode,size',
		'ENAMETOOLONG rename g {256}',
		'0 link g again',
		'0 rename g again',
		'0600 stat g mode',
		'0600 stat again mode',
	],
	'rename over what is open': [
		'0 create f 0644',
		'0 write f w 0 old',
		'0 create g 0644',
		'0 write g w 0 new',
		'0 keep h f rw',
		'0 rename g f',
		'old kread h',
		'new read f',
		'0 kwrite h 0 OLD',
		'new read f',
		'0 ktruncate h 1',
		'new read f',
		'0,1 kstat h links,size',
		'0 kclose h',
	],
	link: [
		'0 create f 0644',
		'0 link f g',
		'2 stat f links',
		'0 chmod g 0600',
		'0600 stat f mode',
		'EEXIST link f g',
		'0 mkdir d 0755',
		'EEXIST link f d',
		'EPERM link d e',
		'ENOENT link missing e',
		'ENOENT link f missing/e',
		'ENOTDIR link f g/e',
		'0 unlink f',
		'1 stat g links',
		'ENAMETOOLONG link g {256}',
		'0 symlink nowhere l',
		'0 link l m',
		'nowhere readlink m',
	],
	symlink: [
		'0 symlink ../target l',
		'link,9 stat l type,size',
		'../target readlink l',
		'EEXIST symlink x l',
		'ENOENT symlink x missing/l',
		'0 create f 0644',
		'EINVAL readlink f',
		'ENOTDIR symlink x f/l',
		'ENOTDIR stat l/x type',
		'0 symlink {1000} long',
		'1000 stat long size',
		'ENAMETOOLONG symlink x {256}',
	],
	chmod: [
		'0 create f 0644',
		'0 chmod f 0111',
		'0111 stat f mode',
		'0 chmod f 0',
		'00 stat f mode',
		'0 mkdir d 0755',
		'0 chmod d 01777',
		'01777 stat d mode',
		'ENOENT chmod missing 0644',
		'ENOTDIR chmod f/x 0644',
		'ENAMETOOLONG chmod {256} 0644',
	],
	chown: [
		'0 create f 0644',
		'0 chown f 12 34',
		'12:34 stat f owner',
		'0 symlink f l',
		'0 chown l 56 78',
		'12:34 stat f owner',
		'56:78 stat l owner',
		'ENOENT chown missing 1 1',
	],
	utimes: [
		'0 create f 0644',
		'0 utimes f 1000 2000',
		'2000 stat f mtime',
		'0 write f w 0 x',
		'EINVAL|0 utimes f 1 2',
		'ENOENT utimes missing 1 2',
		'0 mkdir d 0755',
		'0 utimes d 1 2',
		'2 stat d mtime',
	],
	'a directory has another time when a name in it comes or goes': [
		'0 mkdir d 0755',
		...[
			'create d/f 0644',
			'link d/f d/g',
			'rename d/g d/h',
			'symlink x d/l',
			'mkdir d/sub 0755',
			'rmdir d/sub',
			'unlink d/f',
		].flatMap((step) => ['0 utimes d 1 2', `0 ${step}`, 'yes newer d 2']),
	],
	mkfifo: [
		'0|EPERM mkfifo p 0644',
		'fifo|ENOENT stat p type',
		'ENXIO|ENOENT open p r',
		'0 create f 0644',
		'EEXIST|EPERM mkfifo f 0644',
		'0 mknod g 0600',
		'regular,0600 stat g type,mode',
		'EEXIST mknod g 0600',
	],
};

/** Folders that are written to. */
const folders: Readonly<Record<string, (t: ExecutionContext) => Folder>> = {
	'a directory of the host'(t) {
		const path = mkdtempSync(join(tmpdir(), 'openvmm-posix-'));
		t.teardown(() => rmSync(path, {recursive: true, force: true}));
		return openHostFolder(path, folderDefaults);
	},
	'node:fs/promises'(t) {
		const path = mkdtempSync(join(tmpdir(), 'openvmm-posix-'));
		t.teardown(() => rmSync(path, {recursive: true, force: true}));
		const {folder, close} = calledObject(folderAt(nodeFiles, path));
		t.teardown(close);
		return folder;
	},
	'an overlay'(t) {
		const {folder, close} = calledObject(overlayFolder(memoryFolder()));
		t.teardown(close);
		return folder;
	},
	'a folder in memory'(t) {
		const {folder, close} = calledObject(memoryFolder());
		t.teardown(close);
		return folder;
	},
};

const clients = {'virtio-fs': FuseClient, '9P': P9Files};
/** Nobody else may give files of the host away. */
const isRoot = process.geteuid?.() === 0;

for (const [what, open] of Object.entries(folders))
	for (const [server, {over}] of Object.entries(clients))
		test(`${server} serves ${what} as POSIX has it`, async (t) => {
			const client = await over(open(t));
			t.teardown(() => client.dispose());
			for (const [index, [about, lines]] of Object.entries(cases).entries()) {
				if (about === 'chown' && !isRoot && what === 'a directory of the host') continue;
				const steps = await PosixSteps.within(client, `case-${index}`);
				for (const [at, line] of lines.entries()) {
					// The program's own umask takes from that of a new directory.
					if (what === 'node:fs/promises' && line === '01777 stat d/sub mode') continue;
					const [expected = '', ...step] = line.split(' ');
					const came = await steps.run(step.join(' '));
					t.true(
						expected.split('|').includes(came),
						`${about}, step ${at + 1}: ${line.replaceAll(/x{9,}/g, 'x…')}: ${came}`,
					);
				}
			}
		});
