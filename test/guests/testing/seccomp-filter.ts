import {constants} from 'node:os';

type Errno = keyof typeof constants.errno;

/** BPF: load a word, jump if equal, return (linux/bpf_common.h). */
const [load, jumpIfEqual, give] = [0x20, 0x15, 0x06];
/** struct seccomp_data: number of the call, architecture. */
const [numberOffset, archOffset] = [0, 4];
/** linux/audit.h: 64-bit, little-endian, EM_X86_64. */
const archX8664 = 0xc000_003e;
/** linux/seccomp.h: what a filter returns. An errno goes into the low half. */
const [killProcess, refuse, allow] = [0x8000_0000, 0x0005_0000, 0x7fff_0000];

/** A filter of seccomp(2) for x86-64 that refuses system calls by their numbers, as `struct sock_filter` after each other. */
export function refusingFilter(calls: Readonly<Partial<Record<Errno, Readonly<Record<string, number>>>>>): Uint8Array {
	const rules = Object.entries(calls).flatMap(([errno, numbers]) =>
		Object.values(numbers).flatMap((number) => [
			[jumpIfEqual, 0, 1, number],
			[give, 0, 0, refuse | constants.errno[errno as Errno]],
		]),
	);
	const program = [
		[load, 0, 0, archOffset],
		[jumpIfEqual, 1, 0, archX8664],
		[give, 0, 0, killProcess],
		[load, 0, 0, numberOffset],
		...rules,
		[give, 0, 0, allow],
	];
	const bytes = new DataView(new ArrayBuffer(program.length * 8));
	for (const [index, [code = 0, ifTrue = 0, ifFalse = 0, k = 0]] of program.entries()) {
		bytes.setUint16(index * 8, code, true);
		bytes.setUint8(index * 8 + 2, ifTrue);
		bytes.setUint8(index * 8 + 3, ifFalse);
		bytes.setUint32(index * 8 + 4, k, true);
	}
	return new Uint8Array(bytes.buffer);
}
