import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import test from 'ava';
import {isKind, type Wire} from '#support/wire';
import * as structs from './ring-structs.ts';

/** Fields of each struct, by offset and size, as a compiler has them for 64-bit hosts. */
const expected: Readonly<Record<string, number>> = {
	'io_uring_params.sq_entries': 0,
	'io_uring_params.cq_entries': 4,
	'io_uring_params.flags': 8,
	'io_uring_params.sq_thread_cpu': 12,
	'io_uring_params.sq_thread_idle': 16,
	'io_uring_params.features': 20,
	'io_uring_params.wq_fd': 24,
	'io_uring_params.sq_off.head': 40,
	'io_uring_params.sq_off.tail': 44,
	'io_uring_params.sq_off.ring_mask': 48,
	'io_uring_params.sq_off.ring_entries': 52,
	'io_uring_params.sq_off.flags': 56,
	'io_uring_params.sq_off.dropped': 60,
	'io_uring_params.sq_off.array': 64,
	'io_uring_params.cq_off.head': 80,
	'io_uring_params.cq_off.tail': 84,
	'io_uring_params.cq_off.ring_mask': 88,
	'io_uring_params.cq_off.ring_entries': 92,
	'io_uring_params.cq_off.overflow': 96,
	'io_uring_params.cq_off.cqes': 100,
	'io_uring_params.cq_off.flags': 104,
	'io_uring_sqe.opcode': 0,
	'io_uring_sqe.flags': 1,
	'io_uring_sqe.ioprio': 2,
	'io_uring_sqe.fd': 4,
	'io_uring_sqe.off': 8,
	'io_uring_sqe.addr': 16,
	'io_uring_sqe.len': 24,
	'io_uring_sqe.rw_flags': 28,
	'io_uring_sqe.user_data': 32,
	'io_uring_cqe.user_data': 0,
	'io_uring_cqe.res': 8,
	'io_uring_cqe.flags': 12,
	'io_uring_probe.last_op': 0,
	'io_uring_probe.ops_len': 1,
	'io_uring_probe_op.op': 0,
	'io_uring_probe_op.flags': 2,
	'sizeof io_uring_params': 120,
	'sizeof io_uring_sqe': 64,
	'sizeof io_uring_cqe': 16,
	'sizeof io_uring_probe': 16,
	'sizeof io_uring_probe_op': 8,
	IORING_OP_READV: 1,
	IORING_OP_WRITEV: 2,
	IORING_OP_FSYNC: 3,
	IORING_OP_FALLOCATE: 17,
	IORING_OP_READ: 22,
	IORING_OP_WRITE: 23,
	IORING_FSYNC_DATASYNC: 1,
	IORING_REGISTER_EVENTFD: 4,
	IORING_REGISTER_PROBE: 8,
	IO_URING_OP_SUPPORTED: 1,
	IORING_CQ_EVENTFD_DISABLED: 1,
};

const {RingParams, Submission, Completion, Probe, ProbedOperation, RingOperation} = structs;

function places(path: string, {places: fields}: Wire, base = 0): [string, number][] {
	return [...fields].flatMap(([name, {field, offset}]): [string, number][] => {
		if (isKind(field, 'reserved')) return [];
		const at: [string, number] = [`${path}.${name}`, base + offset];
		return isKind(field, 'struct') ? places(at[0], field as unknown as Wire, at[1]) : [at];
	});
}

test('structs and numbers are where the kernel has them', (t) => {
	const all: Wire[] = [RingParams, Submission, Completion, Probe, ProbedOperation] as never;
	const numbers = Object.entries(structs).filter(([name]) => name.startsWith('IO'));
	const declared = [
		...all.flatMap((struct) => [...places(struct.name, struct), [`sizeof ${struct.name}`, struct.size]]),
		...Object.entries(RingOperation).map(([name, value]) => [`IORING_OP_${name}`, value]),
		...numbers,
	];
	t.deepEqual(Object.fromEntries(declared), expected);
});

const hasCompiler = existsSync('/usr/bin/cc') && existsSync('/usr/include/linux/io_uring.h');
(hasCompiler ? test : test.skip)('a compiler says the same', (t) => {
	const folder = mkdtempSync(join(tmpdir(), 'openvmm-ring-'));
	const asserts = Object.entries(expected).map(([name, value]) => {
		const [, struct, path] = /^(\w+)\.([\w.]+)$/.exec(name) ?? [];
		const size = /^sizeof (\w+)$/.exec(name)?.[1];
		const found =
			struct !== undefined
				? `offsetof(struct ${struct}, ${path})`
				: size !== undefined
					? `sizeof(struct ${size})`
					: name;
		return `_Static_assert(${found} == ${value}, "${name}");`;
	});
	const source = join(folder, 'ring.c');
	writeFileSync(source, `#include <stddef.h>\n#include <linux/io_uring.h>\n${asserts.join('\n')}\n`);
	t.notThrows(() => execFileSync('/usr/bin/cc', ['-fsyntax-only', source], {stdio: 'pipe'}));
	rmSync(folder, {recursive: true});
});
