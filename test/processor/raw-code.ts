import {halt} from '#test/tmk';
import {type GuestOptions, type GuestProcessor, startKernel} from './guest-processor.ts';

/** Where raw code of these tests is, and their page tables are. */
export const codeAt = 0x20_0000;
export const tables = 0x30_0000;
export const stackTop = 0x2f_0000;

/** A processor in long mode at privilege 0 with the low 2 GiB mapped to themselves, and again from the top 2 GiB on. */
export function startBytes(code: readonly number[], at = codeAt, options: GuestOptions = {}): GuestProcessor {
	const kernel = halt();
	const guest = startKernel({...kernel, entry: at, pageTables: tables}, options);
	guest.ram.set(code, at);
	const entries = new BigUint64Array(guest.ram.buffer, tables, 512 * 3);
	entries[0] = entries[511] = BigInt(tables + 0x1000) | 7n;
	entries[512] = entries[512 + 510] = BigInt(tables + 0x2000) | 7n;
	for (let index = 0; index < 512; index++) entries[1024 + index] = (BigInt(index) << 21n) | 0x87n;
	guest.processor.core.state.general[4] = BigInt(stackTop);
	return guest;
}

/** The same memory in the upper half of addresses. */
export const upperHalf = 0xffff_ffff_8000_0000n;
export const descriptors = tables + 0x4000;
export const gates = descriptors + 0x1000;
export const task = gates + 0x1000;
export const handlerAt = codeAt + 0x4000;
export const kernelCode = 8;

/** Descriptor tables in the upper half, and a gate by the first interrupt stack whose handler is these bytes. */
export function handle({processor, ram}: GuestProcessor, vector: number, handler: readonly number[]): void {
	const {state} = processor.core;
	const words = new BigUint64Array(ram.buffer);
	words[descriptors / 8 + 1] = 0x00af_9b00_0000_ffffn;
	words[descriptors / 8 + 2] = 0x00cf_9300_0000_ffffn;
	const at = BigInt(handlerAt);
	words[gates / 8 + vector * 2] =
		(at & 0xffffn) | (BigInt(kernelCode) << 16n) | 0x8e01_0000_0000n | ((at >> 16n) << 48n);
	new DataView(ram.buffer).setBigUint64(task + 0x24, BigInt(stackTop - 0x1000), true);
	ram.set(handler, handlerAt);
	Object.assign(state.gdtr, {base: upperHalf + BigInt(descriptors), limit: 0x17});
	Object.assign(state.idtr, {base: upperHalf + BigInt(gates), limit: 0xfff});
	Object.assign(state.segments[7] ?? {}, {base: upperHalf + BigInt(task), limit: 0x67});
}

const hlt = 0xf4;
/** Bytes for the handler of each vector in {@link runBytes}. */
const handlerStride = 16;
const vectors = 32;

/** What has become of a few instructions. */
export interface Outcome extends GuestProcessor {
	/** Vector of the exception that they ended with, and its error code where it has one; undefined: they came to their end. */
	readonly vector: number | undefined;
	readonly errorCode: number | undefined;
	readonly general: GuestProcessor['processor']['core']['state']['general'];
}

/** What is to be so before. */
export interface Before extends GuestOptions {
	/** At privilege 3. */
	readonly isUser?: boolean;
	/** Changes registers and memory. */
	prepare?(guest: GuestProcessor): void;
}

/** Runs 64-bit code, with a HLT behind it, to its end or to its first exception. */
export function runBytes(code: readonly number[], {isUser = false, prepare, ...options}: Before = {}): Outcome {
	const guest = startBytes([...code, hlt], codeAt, options);
	const {state} = guest.processor.core;
	for (let vector = 0; vector < vectors; vector++) {
		handle(guest, vector, []);
		const at = handlerAt + vector * handlerStride;
		const gate = new BigUint64Array(guest.ram.buffer, gates + vector * 16, 1);
		gate[0] = (gate[0] as bigint) + BigInt(vector * handlerStride);
		// PUSH RAX; MOV AL,vector; OUT 80h,AL; POP RAX; HLT.
		guest.ram.set([0x50, 0xb0, vector, 0xe6, 0x80, 0x58, hlt], at);
	}
	if (isUser) {
		Object.assign(state.segments[1] ?? {}, {selector: 0x33, attributes: 0xa0fb});
		Object.assign(state.segments[2] ?? {}, {selector: 0x2b, attributes: 0xc0f3});
	}
	prepare?.(guest);
	guest.processor.changed();
	const end = guest.processor.run(10_000);
	if (end !== 'halted') throw new Error(`the code ended by ${end}`);
	const vector = guest.writes[0]?.value;
	// HLT of a program is an exception too, behind everything else.
	const isEnd =
		vector === undefined || (isUser && vector === 13 && frameOf(guest).rip === BigInt(codeAt + code.length));
	const hasError = vector !== undefined && [8, 10, 11, 12, 13, 14].includes(vector);
	return {
		...guest,
		vector: isEnd ? undefined : vector,
		errorCode: isEnd || !hasError ? undefined : frameOf(guest).errorCode,
		general: state.general,
	};
}

/** The frame of an exception with an error code, on the stack of handlers. */
function frameOf({ram}: GuestProcessor): {readonly errorCode: number; readonly rip: bigint} {
	const top = new BigUint64Array(ram.buffer, stackTop - 0x1000 - 48, 2);
	return {errorCode: Number(top[0]), rip: top[1] as bigint};
}
