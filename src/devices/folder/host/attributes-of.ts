import type {Attributes, FileTime} from '#devices/folder';
import {statOpen} from '#support/ffi';
import type {FieldsView} from '#support/wire';
import {STATX_BTIME, Status} from './host-structs.ts';

/** A file of the host's as it is now. */
export interface HostStatus {
	readonly attributes: Attributes;
	/** Tells files of the host apart, as {@link Attributes.inode} does those of one file system. */
	readonly device: number;
}

const buffer = new Uint8Array(new ArrayBuffer(Status.size));
const status = Status.on(buffer.buffer);

/** Looks at what is open. Or the negated errno. */
export function statusOf(fd: number): HostStatus | number {
	const result = statOpen(fd, buffer);
	if (result < 0) return result;
	const {stx_mask, stx_mode, stx_rdev_major: major, stx_rdev_minor: minor} = status;
	return {
		device: status.stx_dev_major * 2 ** 20 + status.stx_dev_minor,
		attributes: {
			inode: status.stx_ino,
			mode: stx_mode,
			links: status.stx_nlink,
			uid: status.stx_uid,
			gid: status.stx_gid,
			device: ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0,
			size: status.stx_size,
			blocks: status.stx_blocks,
			blockBytes: status.stx_blksize,
			accessed: timeOf(status.stx_atime),
			modified: timeOf(status.stx_mtime),
			changed: timeOf(status.stx_ctime),
			...((stx_mask & STATX_BTIME) !== 0 && {born: timeOf(status.stx_btime)}),
		},
	};
}

const timeOf = ({tv_sec, tv_nsec}: FieldsView<typeof Status.fields>['stx_atime']): FileTime => ({
	seconds: Number(tv_sec),
	nanoseconds: tv_nsec,
});
