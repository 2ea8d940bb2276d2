import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {isKind, type Wire} from '#support/wire';
import {EntryHead, RangeLock, Space, STATX_BTIME, Status} from './host-structs.ts';

/** Structs as a compiler has them for hosts of 64 bits: name, size, fields and where they are. */
const expected = [
	'statx 256 stx_mask:0 stx_blksize:4 stx_attributes:8 stx_nlink:16 stx_uid:20 stx_gid:24 stx_mode:28 stx_ino:32 stx_size:40 stx_blocks:48 stx_attributes_mask:56 stx_atime:64 stx_btime:80 stx_ctime:96 stx_mtime:112 stx_rdev_major:128 stx_rdev_minor:132 stx_dev_major:136 stx_dev_minor:140',
	'statfs 120 f_type:0 f_bsize:8 f_blocks:16 f_bfree:24 f_bavail:32 f_files:40 f_ffree:48 f_fsid:56 f_namelen:64 f_frsize:72 f_flags:80',
	'linux_dirent64 19 d_ino:0 d_off:8 d_reclen:16 d_type:18',
	'flock 32 l_type:0 l_whence:2 l_start:8 l_len:16 l_pid:24',
];

const lineOf = ({name, size, places}: Wire): string => {
	const fields = [...places].flatMap(([field, {field: kind, offset}]) =>
		isKind(kind, 'reserved') ? [] : [`${field}:${offset}`],
	);
	return `${name} ${size} ${fields.join(' ')}`;
};

test('structs are where the kernel has them', (t) => {
	t.deepEqual(([Status, Space, EntryHead, RangeLock] as Wire[]).map(lineOf), expected);
	t.is(STATX_BTIME, 0x800);
});

const hasCompiler = existsSync('/usr/bin/cc') && existsSync('/usr/include/linux/stat.h');
(hasCompiler ? test : test.skip)('a compiler says the same', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-structs-'));
	t.teardown(() => rmSync(folder, {recursive: true}));
	const headers: Readonly<Record<string, string>> = {
		statx: '#include <linux/stat.h>\n#include <linux/openat2.h>',
		statfs: '#include <sys/statfs.h>',
		flock: '#define _FILE_OFFSET_BITS 64\n#include <fcntl.h>',
		// No header that programs have declares it.
		linux_dirent64:
			'#include <stdint.h>\nstruct linux_dirent64 {uint64_t d_ino; int64_t d_off; unsigned short d_reclen; unsigned char d_type; char d_name[];};',
	};
	for (const line of expected) {
		const [name, size, ...fields] = line.split(' ') as [string, string, ...string[]];
		const sizeOf = name === 'linux_dirent64' ? 'offsetof(struct linux_dirent64, d_name)' : `sizeof(struct ${name})`;
		const asserts = [[sizeOf, size], ...fields.map((field) => field.split(':'))].map(([what, value], index) => {
			const found = index === 0 ? what : `offsetof(struct ${name}, ${what})`;
			return `_Static_assert(${found} == ${value}, "${what}");`;
		});
		const source = join(folder, `${name}.c`);
		writeFileSync(source, `#include <stddef.h>\n${headers[name]}\n${asserts.join('\n')}\n`);
		t.notThrows(() => execFileSync('/usr/bin/cc', ['-fsyntax-only', source], {stdio: 'pipe'}), name);
	}
});
