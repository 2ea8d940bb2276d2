// UNSAFE-FFI: machine code of this file's own, for what neither JavaScript nor WebAssembly has.
import {type Koffi, koffi} from './koffi.ts';
import {addressOf} from './libc.ts';
import {mapMachineCode} from './machine-code.ts';

/**
 * A function of the System V ABI. RDI is an address at a multiple of 16. RSI is that of four words: 128 bits that are expected there, low half
 * first, and 128 that take their place. The first two have what was there afterwards, and EAX is 1 where that was what was expected.
 */
const code = Uint8Array.of(
	...[0xf3, 0x0f, 0x1e, 0xfa], // endbr64
	0x53, // push rbx
	...[0x48, 0x8b, 0x06], // mov rax, [rsi]
	...[0x48, 0x8b, 0x56, 0x08], // mov rdx, [rsi + 8]
	...[0x48, 0x8b, 0x5e, 0x10], // mov rbx, [rsi + 16]
	...[0x48, 0x8b, 0x4e, 0x18], // mov rcx, [rsi + 24]
	...[0xf0, 0x48, 0x0f, 0xc7, 0x0f], // lock cmpxchg16b [rdi]
	...[0x48, 0x89, 0x06], // mov [rsi], rax
	...[0x48, 0x89, 0x56, 0x08], // mov [rsi + 8], rdx
	...[0x0f, 0x94, 0xc0], // sete al
	...[0x0f, 0xb6, 0xc0], // movzx eax, al
	0x5b, // pop rbx
	0xc3, // ret
);
const pageBytes = 4096;

let mapped: number | undefined;
let prototype: ReturnType<Koffi['proto']> | undefined;

/**
 * Address of a function that exchanges 128 bits at once, for {@link wideExchange} in any thread of the process; 0 where the host has none. It stays
 * for as long as the process.
 */
export function wideExchangeCode(): number {
	mapped ??= process.arch === 'x64' ? Math.max(mapMachineCode(code, pageBytes), 0) : 0;
	return mapped;
}

/**
 * Exchanges 128 bits of a buffer at once, in the one order of all atomic accesses.
 * @param at - a multiple of 16, in bytes
 * @param words - what is expected there and what takes its place, low halves first; then, in the first two, what was there
 * @returns true where it was what was expected
 */
export type WideExchange = (at: number, words: BigUint64Array) => boolean;

/** Makes it for a buffer, which it keeps alive. @param address - of {@link wideExchangeCode}, not 0 */
export function wideExchange(address: number, buffer: SharedArrayBuffer): WideExchange {
	// koffi has no types in a thread that has loaded nothing.
	koffi().load(null);
	const base = Number(addressOf(buffer));
	prototype ??= koffi().proto('int wideExchange(uintptr_t target, uint64_t *words)');
	const type = prototype;
	return (at, words) => {
		if (at < 0 || at % 16 !== 0 || at + 16 > buffer.byteLength || words.length < 4)
			throw new RangeError(`no 128 bits are at ${at}`);
		// SAFETY: the code does what the prototype says, within the buffer.
		return koffi().call(BigInt(address), type, base + at, words) === 1;
	};
}
