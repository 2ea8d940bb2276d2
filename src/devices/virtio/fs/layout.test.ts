import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {isKind, type Wire} from '#support/wire';
import * as layout from './layout.ts';

/** Structs as a compiler has them: name, size, fields and where they are. */
const expected = `
fuse_attr 88 ino:0 size:8 blocks:16 atime:24 mtime:32 ctime:40 atimensec:48 mtimensec:52 ctimensec:56 mode:60 nlink:64 uid:68 gid:72 rdev:76 blksize:80 flags:84
fuse_attr_out 104 attr_valid:0 attr_valid_nsec:8 attr:16
fuse_batch_forget_in 8 count:0
fuse_copy_file_range_in 56 fh_in:0 off_in:8 nodeid_out:16 fh_out:24 off_out:32 len:40 flags:48
fuse_create_in 16 flags:0 mode:4 umask:8 open_flags:12
fuse_dirent 24 ino:0 off:8 namelen:16 type:20
fuse_entry_out 128 nodeid:0 generation:8 entry_valid:16 attr_valid:24 entry_valid_nsec:32 attr_valid_nsec:36 attr:40
fuse_fallocate_in 32 fh:0 offset:8 length:16 mode:24
fuse_flush_in 24 fh:0 lock_owner:16
fuse_forget_in 8 nlookup:0
fuse_forget_one 16 nodeid:0 nlookup:8
fuse_fsync_in 16 fh:0 fsync_flags:8
fuse_getattr_in 16 getattr_flags:0 fh:8
fuse_getxattr_in 8 size:0
fuse_getxattr_out 8 size:0
fuse_in_header 40 len:0 opcode:4 unique:8 nodeid:16 uid:24 gid:28 pid:32 total_extlen:36
fuse_init_in 64 major:0 minor:4 max_readahead:8 flags:12 flags2:16
fuse_init_out 64 major:0 minor:4 max_readahead:8 flags:12 max_background:16 congestion_threshold:18 max_write:20 time_gran:24 max_pages:28 map_alignment:30 flags2:32
fuse_interrupt_in 8 unique:0
fuse_link_in 8 oldnodeid:0
fuse_lk_in 48 fh:0 owner:8 start:16 end:24 type:32 pid:36 lk_flags:40
fuse_lk_out 24 start:0 end:8 type:16 pid:20
fuse_lseek_in 24 fh:0 offset:8 whence:16
fuse_lseek_out 8 offset:0
fuse_mkdir_in 8 mode:0 umask:4
fuse_mknod_in 16 mode:0 rdev:4 umask:8
fuse_open_in 8 flags:0 open_flags:4
fuse_open_out 16 fh:0 open_flags:8
fuse_out_header 16 len:0 error:4 unique:8
fuse_read_in 40 fh:0 offset:8 size:16 read_flags:20 lock_owner:24 flags:32
fuse_release_in 24 fh:0 flags:8 release_flags:12 lock_owner:16
fuse_removemapping_in 4 count:0
fuse_removemapping_one 16 moffset:0 len:8
fuse_rename2_in 16 newdir:0 flags:8
fuse_rename_in 8 newdir:0
fuse_setattr_in 88 valid:0 fh:8 size:16 lock_owner:24 atime:32 mtime:40 ctime:48 atimensec:56 mtimensec:60 ctimensec:64 mode:68 uid:76 gid:80
fuse_setupmapping_in 40 fh:0 foffset:8 len:16 flags:24 moffset:32
fuse_setxattr_in 8 size:0 flags:4
fuse_kstatfs 80 blocks:0 bfree:8 bavail:16 files:24 ffree:32 bsize:40 namelen:44 frsize:48
fuse_statx_in 24 getattr_flags:0 fh:8 sx_flags:16 sx_mask:20
fuse_statx_out 288 attr_valid:0 attr_valid_nsec:8 flags:12 mask:32 blksize:36 attributes:40 nlink:48 uid:52 gid:56 mode:60 ino:64 size:72 blocks:80 attributes_mask:88 atime:96 btime:112 ctime:128 mtime:144 rdev_major:160 rdev_minor:164 dev_major:168 dev_minor:172
virtio_fs_config 40 tag:0 num_request_queues:36
fuse_write_in 40 fh:0 offset:8 size:16 write_flags:20 lock_owner:24 flags:32
fuse_write_out 8 size:0
`;

const isStruct = (value: unknown): boolean => typeof value === 'object' && isKind(value as Wire, 'struct');
const all = Object.values(layout).filter(isStruct) as unknown as readonly Wire[];

const lineOf = ({name, size, places}: Wire): string => {
	const fields = [...places].flatMap(([field, {field: kind, offset}]) =>
		isKind(kind, 'reserved') ? [] : [`${field}:${offset}`],
	);
	return `${name} ${size} ${fields.join(' ')}`;
};

test('structs are where the kernel has them', (t) => {
	t.deepEqual(all.map(lineOf), expected.trim().split('\n'));
});

const header = '/usr/include/linux/fuse.h';
const hasCompiler = existsSync('/usr/bin/cc') && existsSync(header);
(hasCompiler ? test : test.skip)('a compiler says the same', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-fuse-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const text = readFileSync(header, 'utf8');
	const asserts: string[] = [];
	const say = (found: string, value: number) => asserts.push(`_Static_assert(${found} == ${value}u, "${found}");`);
	for (const line of expected.trim().split('\n')) {
		const [name, size, ...fields] = line.split(' ') as [string, string, ...string[]];
		// An older header has not all of them.
		if (!new RegExp(`^struct ${name} \\{`, 'm').test(text)) continue;
		// The header has the one of FUSE_SETXATTR_EXT.
		if (name !== 'fuse_setxattr_in') say(`sizeof(struct ${name})`, Number(size));
		for (const field of fields) {
			const [own, at] = field.split(':') as [string, string];
			const isInLock = /^fuse_lk_/.test(name) && ['start', 'end', 'type', 'pid'].includes(own);
			say(`offsetof(struct ${name}, ${isInLock ? 'lk.' : ''}${own})`, Number(at));
		}
	}
	for (const [names, prefix] of [
		[layout.Opcode, 'FUSE_'],
		[layout.InitFlag, 'FUSE_'],
		[layout.SetattrValid, 'FATTR_'],
		[layout.OpenOutFlag, 'FOPEN_'],
	] as const)
		for (const [name, value] of Object.entries(names))
			if (new RegExp(`\\b${prefix}${name}\\b`).test(text)) say(`${prefix}${name}`, value);
	say('FUSE_GETATTR_FH', layout.GETATTR_FH);
	say('FUSE_RELEASE_FLOCK_UNLOCK', layout.RELEASE_FLOCK_UNLOCK);
	say('FUSE_FSYNC_FDATASYNC', layout.FSYNC_FDATASYNC);
	say('FUSE_SETUPMAPPING_FLAG_WRITE', Number(layout.SETUPMAPPING_FLAG_WRITE));
	say('FUSE_LK_FLOCK', layout.LK_FLOCK);
	t.true(asserts.length > 200);
	const source = join(folder, 'fuse.c');
	writeFileSync(source, `#include <stddef.h>\n#include <linux/fuse.h>\n${asserts.join('\n')}\n`);
	t.notThrows(() => execFileSync('/usr/bin/cc', ['-fsyntax-only', source], {stdio: 'pipe'}));
});
