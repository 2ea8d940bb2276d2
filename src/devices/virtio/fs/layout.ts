// FUSE as virtio-fs carries it: structs and numbers of Linux's include/uapi/linux/fuse.h, version 7.39.
import {bytes, i32, i64, packed, reserved, u16, u32, u64} from '#support/wire';

/** Most bytes of a tag, which has no NUL where it is as long (virtio 1.2, 5.11.4). */
export const mostTagBytes = 36;

/** Device configuration space (virtio 1.2, 5.11.4). */
export const VirtioFsSpace = packed('virtio_fs_config', {tag: bytes(mostTagBytes), num_request_queues: u32}).sized(
	40,
	'virtio 1.2, 5.11.4',
);

export const fuseVersion = {major: 7, minor: 39} as const;
/** Below, requests have other lengths; Linux has virtio-fs since 7.31. */
export const leastMinor = 31;

/** Requests (enum fuse_opcode). */
export const Opcode = {
	LOOKUP: 1,
	FORGET: 2,
	GETATTR: 3,
	SETATTR: 4,
	READLINK: 5,
	SYMLINK: 6,
	MKNOD: 8,
	MKDIR: 9,
	UNLINK: 10,
	RMDIR: 11,
	RENAME: 12,
	LINK: 13,
	OPEN: 14,
	READ: 15,
	WRITE: 16,
	STATFS: 17,
	RELEASE: 18,
	FSYNC: 20,
	SETXATTR: 21,
	GETXATTR: 22,
	LISTXATTR: 23,
	REMOVEXATTR: 24,
	FLUSH: 25,
	INIT: 26,
	OPENDIR: 27,
	READDIR: 28,
	RELEASEDIR: 29,
	FSYNCDIR: 30,
	GETLK: 31,
	SETLK: 32,
	SETLKW: 33,
	CREATE: 35,
	INTERRUPT: 36,
	DESTROY: 38,
	IOCTL: 39,
	BATCH_FORGET: 42,
	FALLOCATE: 43,
	READDIRPLUS: 44,
	RENAME2: 45,
	LSEEK: 46,
	COPY_FILE_RANGE: 47,
	SETUPMAPPING: 48,
	REMOVEMAPPING: 49,
	SYNCFS: 50,
	TMPFILE: 51,
	STATX: 52,
} as const;

/** What both sides can do, by bits of `flags`. */
export const InitFlag = {
	ASYNC_READ: 2 ** 0,
	POSIX_LOCKS: 2 ** 1,
	ATOMIC_O_TRUNC: 2 ** 3,
	BIG_WRITES: 2 ** 5,
	FLOCK_LOCKS: 2 ** 10,
	AUTO_INVAL_DATA: 2 ** 12,
	DO_READDIRPLUS: 2 ** 13,
	READDIRPLUS_AUTO: 2 ** 14,
	ASYNC_DIO: 2 ** 15,
	PARALLEL_DIROPS: 2 ** 18,
	MAX_PAGES: 2 ** 22,
	CACHE_SYMLINKS: 2 ** 23,
	MAP_ALIGNMENT: 2 ** 26,
} as const;

export const InHeader = packed('fuse_in_header', {
	len: u32,
	opcode: u32,
	unique: u64,
	nodeid: u64.asNumber,
	uid: u32,
	gid: u32,
	pid: u32,
	total_extlen: u16,
	padding: reserved(2),
}).sized(40);

export const OutHeader = packed('fuse_out_header', {len: u32, error: i32, unique: u64}).sized(16);

export const InitIn = packed('fuse_init_in', {
	major: u32,
	minor: u32,
	max_readahead: u32,
	flags: u32,
	flags2: u32,
	unused: reserved(44),
}).sized(64);

export const InitOut = packed('fuse_init_out', {
	major: u32,
	minor: u32,
	max_readahead: u32,
	flags: u32,
	max_background: u16,
	congestion_threshold: u16,
	max_write: u32,
	time_gran: u32,
	max_pages: u16,
	map_alignment: u16,
	flags2: u32,
	unused: reserved(28),
}).sized(64);

export const Attr = packed('fuse_attr', {
	ino: u64,
	size: u64,
	blocks: u64,
	atime: i64,
	mtime: i64,
	ctime: i64,
	atimensec: u32,
	mtimensec: u32,
	ctimensec: u32,
	mode: u32,
	nlink: u32,
	uid: u32,
	gid: u32,
	rdev: u32,
	blksize: u32,
	flags: u32,
}).sized(88);

export const EntryOut = packed('fuse_entry_out', {
	nodeid: u64,
	generation: u64,
	entry_valid: u64,
	attr_valid: u64,
	entry_valid_nsec: u32,
	attr_valid_nsec: u32,
	attr: Attr,
}).sized(128);

export const AttrOut = packed('fuse_attr_out', {
	attr_valid: u64,
	attr_valid_nsec: u32,
	dummy: reserved(4),
	attr: Attr,
}).sized(104);

export const ForgetIn = packed('fuse_forget_in', {nlookup: u64.asNumber}).sized(8);
export const BatchForgetIn = packed('fuse_batch_forget_in', {count: u32, dummy: reserved(4)}).sized(8);
export const ForgetOne = packed('fuse_forget_one', {nodeid: u64.asNumber, nlookup: u64.asNumber}).sized(16);

export const GetattrIn = packed('fuse_getattr_in', {
	getattr_flags: u32,
	dummy: reserved(4),
	fh: u64.asNumber,
}).sized(16);
/** Of `getattr_flags`: `fh` is an open file. */
export const GETATTR_FH = 1;

export const SetattrIn = packed('fuse_setattr_in', {
	valid: u32,
	padding: reserved(4),
	fh: u64.asNumber,
	size: u64.asNumber,
	lock_owner: u64,
	atime: i64,
	mtime: i64,
	ctime: i64,
	atimensec: u32,
	mtimensec: u32,
	ctimensec: u32,
	mode: u32,
	unused4: reserved(4),
	uid: u32,
	gid: u32,
	unused5: reserved(4),
}).sized(88);

/** Of `valid`: which are given (FATTR_). */
export const SetattrValid = {
	MODE: 1,
	UID: 2,
	GID: 4,
	SIZE: 8,
	ATIME: 16,
	MTIME: 32,
	FH: 64,
	ATIME_NOW: 128,
	MTIME_NOW: 256,
} as const;

export const MknodIn = packed('fuse_mknod_in', {mode: u32, rdev: u32, umask: u32, padding: reserved(4)}).sized(16);
export const MkdirIn = packed('fuse_mkdir_in', {mode: u32, umask: u32}).sized(8);
export const RenameIn = packed('fuse_rename_in', {newdir: u64.asNumber}).sized(8);
export const Rename2In = packed('fuse_rename2_in', {newdir: u64.asNumber, flags: u32, padding: reserved(4)}).sized(16);
export const LinkIn = packed('fuse_link_in', {oldnodeid: u64.asNumber}).sized(8);
export const OpenIn = packed('fuse_open_in', {flags: u32, open_flags: u32}).sized(8);
export const CreateIn = packed('fuse_create_in', {flags: u32, mode: u32, umask: u32, open_flags: u32}).sized(16);
export const OpenOut = packed('fuse_open_out', {fh: u64, open_flags: u32, padding: reserved(4)}).sized(16);

/** Of `open_flags` of an answer (FOPEN_): nothing is kept; what is kept stays when the file is opened again. */
export const OpenOutFlag = {DIRECT_IO: 1, KEEP_CACHE: 2} as const;

export const ReleaseIn = packed('fuse_release_in', {
	fh: u64.asNumber,
	flags: u32,
	release_flags: u32,
	lock_owner: u64,
}).sized(24);
/** Of `release_flags`: locks of the whole file end. */
export const RELEASE_FLOCK_UNLOCK = 2;

export const FlushIn = packed('fuse_flush_in', {
	fh: u64.asNumber,
	unused: reserved(4),
	padding: reserved(4),
	lock_owner: u64,
}).sized(24);

export const ReadIn = packed('fuse_read_in', {
	fh: u64.asNumber,
	offset: u64,
	size: u32,
	read_flags: u32,
	lock_owner: u64,
	flags: u32,
	padding: reserved(4),
}).sized(40);

export const WriteIn = packed('fuse_write_in', {
	fh: u64.asNumber,
	offset: u64,
	size: u32,
	write_flags: u32,
	lock_owner: u64,
	flags: u32,
	padding: reserved(4),
}).sized(40);
export const WriteOut = packed('fuse_write_out', {size: u32, padding: reserved(4)}).sized(8);

export const StatfsOut = packed('fuse_kstatfs', {
	blocks: u64,
	bfree: u64,
	bavail: u64,
	files: u64,
	ffree: u64,
	bsize: u32,
	namelen: u32,
	frsize: u32,
	padding: reserved(4),
	spare: reserved(24),
}).sized(80);

export const FsyncIn = packed('fuse_fsync_in', {fh: u64.asNumber, fsync_flags: u32, padding: reserved(4)}).sized(16);
/** Of `fsync_flags`. */
export const FSYNC_FDATASYNC = 1;

/** As long as it is without FUSE_SETXATTR_EXT. */
export const SetxattrIn = packed('fuse_setxattr_in', {size: u32, flags: u32}).sized(8);
export const GetxattrIn = packed('fuse_getxattr_in', {size: u32, padding: reserved(4)}).sized(8);
export const GetxattrOut = packed('fuse_getxattr_out', {size: u32, padding: reserved(4)}).sized(8);

export const LkIn = packed('fuse_lk_in', {
	fh: u64.asNumber,
	owner: u64,
	start: u64,
	end: u64,
	type: u32,
	pid: u32,
	lk_flags: u32,
	padding: reserved(4),
}).sized(48);
export const LkOut = packed('fuse_lk_out', {start: u64, end: u64, type: u32, pid: u32}).sized(24);
/** Of `lk_flags`: it is of the whole file. */
export const LK_FLOCK = 1;

export const InterruptIn = packed('fuse_interrupt_in', {unique: u64}).sized(8);

export const FallocateIn = packed('fuse_fallocate_in', {
	fh: u64.asNumber,
	offset: u64,
	length: u64,
	mode: u32,
	padding: reserved(4),
}).sized(32);

export const LseekIn = packed('fuse_lseek_in', {
	fh: u64.asNumber,
	offset: u64,
	whence: u32,
	padding: reserved(4),
}).sized(24);
export const LseekOut = packed('fuse_lseek_out', {offset: u64}).sized(8);

export const CopyFileRangeIn = packed('fuse_copy_file_range_in', {
	fh_in: u64.asNumber,
	off_in: u64,
	nodeid_out: u64.asNumber,
	fh_out: u64.asNumber,
	off_out: u64,
	len: u64,
	flags: u64,
}).sized(56);

export const SetupmappingIn = packed('fuse_setupmapping_in', {
	fh: u64,
	foffset: u64.asNumber,
	len: u64.asNumber,
	flags: u64,
	moffset: u64.asNumber,
}).sized(40);
/** Of `flags`: what is written to the mapping is the file's. */
export const SETUPMAPPING_FLAG_WRITE = 1n;
export const RemovemappingIn = packed('fuse_removemapping_in', {count: u32}).sized(4);
export const RemovemappingOne = packed('fuse_removemapping_one', {moffset: u64.asNumber, len: u64.asNumber}).sized(16);

/** Head of an entry of READDIR; its name follows, and zeros up to a multiple of 8. */
export const Dirent = packed('fuse_dirent', {ino: u64, off: u64, namelen: u32, type: u32}).sized(24);

export const StatxIn = packed('fuse_statx_in', {
	getattr_flags: u32,
	reserved: reserved(4),
	fh: u64.asNumber,
	sx_flags: u32,
	sx_mask: u32,
}).sized(24);

const SxTime = packed('fuse_sx_time', {tv_sec: i64, tv_nsec: u32, __reserved: reserved(4)}).sized(16);

export const StatxOut = packed('fuse_statx_out', {
	attr_valid: u64,
	attr_valid_nsec: u32,
	flags: u32,
	spare: reserved(16),
	mask: u32,
	blksize: u32,
	attributes: u64,
	nlink: u32,
	uid: u32,
	gid: u32,
	mode: u16,
	__spare0: reserved(2),
	ino: u64,
	size: u64,
	blocks: u64,
	attributes_mask: u64,
	atime: SxTime,
	btime: SxTime,
	ctime: SxTime,
	mtime: SxTime,
	rdev_major: u32,
	rdev_minor: u32,
	dev_major: u32,
	dev_minor: u32,
	__spare2: reserved(112),
}).sized(288);

/** Of `mask`: what is told always, and when the file was made (STATX_BASIC_STATS, STATX_BTIME). */
export const StatxMask = {BASIC: 0x7ff, BTIME: 0x800} as const;
