/**
 * Layout of the cases' code and memory. All of it lies below 2 GiB, so that displacements, absolute addresses and 32-bit
 * addressing reach it, and above what the host program and its heap take there.
 */
import {Mmap} from '#support/ffi';
import {codeBytes, windowBytes} from './processor-state.ts';

const PROT_EXEC = 4;
const {PROT_READ, PROT_WRITE} = Mmap;
const pageSize = 0x1000;

/** One mapping of the shared memory. Between them nothing is mapped: stray accesses fault. */
export interface Region {
	readonly address: number;
	readonly size: number;
	readonly protection: number;
}

export const regions = {
	/** The program that runs the cases. */
	trampoline: {address: 0x7000_0000, size: 2 * pageSize, protection: PROT_READ | PROT_EXEC},
	/** Its variables and, at the end, its stack. */
	variables: {address: 0x7001_0000, size: 2 * pageSize, protection: PROT_READ | PROT_WRITE},
	/** The stack of its signal handler, with room for a frame with every register that the host has. */
	signalStack: {address: 0x7002_0000, size: 32 * pageSize, protection: PROT_READ | PROT_WRITE},
	/** The pages that operands and stack are in. */
	data: {address: 0x7010_0000, size: 2 * pageSize, protection: PROT_READ | PROT_WRITE},
	/** The page that the code under test is in. */
	code: {address: 0x7020_0000, size: pageSize, protection: PROT_READ | PROT_WRITE | PROT_EXEC},
} as const satisfies Readonly<Record<string, Region>>;

/** The cases, one record after the other. */
export const recordsAddress = 0x7100_0000;

/** The window of memory that belongs to a case: half in one page, half in the next. */
export const windowAddress: number = regions.data.address + pageSize - windowBytes / 2;
/** Its end, where a stack begins. */
export const windowEnd: number = windowAddress + windowBytes;
/** Address of a case's code. */
export const codeAddress: number = regions.code.address + 0x800;
export const codeEnd: number = codeAddress + codeBytes;
