// What the kernel fills for calls on files (linux/stat.h, asm-generic/statfs.h, linux/dirent.h, asm-generic/fcntl.h).
import {i64, packed, reserved, u8, u16, u32, u64} from '#support/wire';

const Timestamp = packed('statx_timestamp', {tv_sec: i64, tv_nsec: u32, __reserved: reserved(4)}).sized(16);

/** What statx(2) tells. */
export const Status = packed('statx', {
	stx_mask: u32,
	stx_blksize: u32,
	stx_attributes: u64,
	stx_nlink: u32,
	stx_uid: u32,
	stx_gid: u32,
	stx_mode: u16,
	__spare0: reserved(2),
	stx_ino: u64,
	stx_size: u64.asNumber,
	stx_blocks: u64.asNumber,
	stx_attributes_mask: u64,
	stx_atime: Timestamp,
	stx_btime: Timestamp,
	stx_ctime: Timestamp,
	stx_mtime: Timestamp,
	stx_rdev_major: u32,
	stx_rdev_minor: u32,
	stx_dev_major: u32,
	stx_dev_minor: u32,
	rest: reserved(112),
}).sized(256);

/** Of `stx_mask`: the time of birth is known. */
export const STATX_BTIME = 0x800;

/** What fstatfs(2) tells, on hosts of 64 bits. */
export const Space = packed('statfs', {
	f_type: u64,
	f_bsize: u64.asNumber,
	f_blocks: u64.asNumber,
	f_bfree: u64.asNumber,
	f_bavail: u64.asNumber,
	f_files: u64.asNumber,
	f_ffree: u64.asNumber,
	f_fsid: u64,
	f_namelen: u64.asNumber,
	f_frsize: u64.asNumber,
	f_flags: u64,
	f_spare: reserved(32),
}).sized(120);

/** Head of an entry of getdents64(2); its name follows, with NUL behind. */
export const EntryHead = packed('linux_dirent64', {d_ino: u64, d_off: u64, d_reclen: u16, d_type: u8}).sized(19);

/** A lock of fcntl(2). */
export const RangeLock = packed('flock', {
	l_type: u16,
	l_whence: u16,
	pad: reserved(4),
	l_start: i64,
	l_len: i64,
	l_pid: u32,
	pad2: reserved(4),
}).sized(32);
