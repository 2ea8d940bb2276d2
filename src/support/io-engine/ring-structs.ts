// What the kernel and io_uring's users share (linux/io_uring.h).
import {i32, packed, reserved, u8, u16, u32, u64} from '#support/wire';

const SqRingOffsets = packed('io_sqring_offsets', {
	head: u32,
	tail: u32,
	ring_mask: u32,
	ring_entries: u32,
	flags: u32,
	dropped: u32,
	array: u32,
	resv1: reserved(4),
	resv2: reserved(8),
}).sized(40);

const CqRingOffsets = packed('io_cqring_offsets', {
	head: u32,
	tail: u32,
	ring_mask: u32,
	ring_entries: u32,
	overflow: u32,
	cqes: u32,
	flags: u32,
	resv1: reserved(4),
	resv2: reserved(8),
}).sized(40);

export const RingParams = packed('io_uring_params', {
	sq_entries: u32,
	cq_entries: u32,
	flags: u32,
	sq_thread_cpu: u32,
	sq_thread_idle: u32,
	features: u32,
	wq_fd: u32,
	resv: reserved(12),
	sq_off: SqRingOffsets,
	cq_off: CqRingOffsets,
}).sized(120);

/** An entry of the submission queue; names of unions are those for files. */
export const Submission = packed('io_uring_sqe', {
	opcode: u8,
	flags: u8,
	ioprio: u16,
	fd: i32,
	off: u64,
	addr: u64,
	len: u32,
	rw_flags: u32,
	user_data: u64,
	rest: reserved(24),
}).sized(64);

export const Completion = packed('io_uring_cqe', {user_data: u64, res: i32, flags: u32}).sized(16);

/** Which operations there are; an element for each follows. */
export const Probe = packed('io_uring_probe', {last_op: u8, ops_len: u8, resv: reserved(14)}).sized(16);
export const ProbedOperation = packed('io_uring_probe_op', {
	op: u8,
	resv: reserved(1),
	flags: u16,
	resv2: reserved(4),
}).sized(8);

/** Operations (IORING_OP_). */
export const RingOperation = {READV: 1, WRITEV: 2, FSYNC: 3, FALLOCATE: 17, READ: 22, WRITE: 23} as const;

/** Where the parts are mapped from (IORING_OFF_). */
export const ringPlaces = {rings: 0, submissions: 0x1000_0000} as const;

/** Of `features`: both rings are mapped at once; no completion is lost; what a submission points to is read at once. */
export const neededFeatures = 1 | 2 | 4;
export const IORING_FSYNC_DATASYNC = 1;
export const IORING_REGISTER_EVENTFD = 4;
export const IORING_REGISTER_PROBE = 8;
export const IO_URING_OP_SUPPORTED = 1;
/** Of the completion ring's `flags`: completions do not signal the eventfd. */
export const IORING_CQ_EVENTFD_DISABLED = 1;
