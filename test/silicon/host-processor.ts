// UNSAFE-FFI: maps memory at fixed addresses, installs signal handlers and calls machine code.
import {existsSync, readFileSync} from 'node:fs';
import {addressOf, close, errnoName, koffi, Memfd, Mmap, mapOver, memfdCreate, truncate} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import type {ViewOf} from '#support/wire';
import {codeAddress, codeEnd, recordsAddress, regions, windowAddress, windowEnd} from './layout.ts';
import {CaseRecord, codeBytes, noVector} from './processor-state.ts';
import {assembleTrampoline, endMarkerBytes, type Trampoline} from './trampoline.ts';

/** Tells why this host cannot serve as the processor that ours is compared with; undefined where it can. */
export function siliconObstacle(): string | undefined {
	if (process.platform !== 'linux' || process.arch !== 'x64')
		return `the host is ${process.platform} on ${process.arch}, not Linux on x86-64`;
	const cpuInfo = '/proc/cpuinfo';
	const flags = existsSync(cpuInfo) ? /^flags\s*:(.*)$/m.exec(readFileSync(cpuInfo, 'utf8'))?.[1]?.split(' ') : [];
	const missing = ['xsave', 'avx'].find((name) => !flags?.includes(name));
	return missing === undefined ? undefined : `the host does not say that it has ${missing.toUpperCase()}`;
}

/** The signals that exceptions of user mode become: SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV. */
const faultSignals = [4, 5, 7, 8, 11];
/** sigset_t: one bit for each signal, beginning with 1. */
const signalSetBytes = 128;
const SIG_BLOCK = 0;
const SIG_SETMASK = 2;
const MAP_FIXED_NOREPLACE = 0x10_0000;
const SA_SIGINFO = 4;
const SA_ONSTACK = 0x0800_0000;
/** struct sigaction of glibc and musl on x86-64: handler, mask of 128 bytes, flags, restorer. */
const sigactionBytes = 152;
const sigactionFlags = 136;
/** stack_t: address, flags, size. */
const stackBytes = 24;
const generalProtection = 13;
/** Byte that fills the pages of code and data outside the windows; it must stay. */
const filler = 0xcc;

interface CFunctions {
	sigaction(signal: number, action: Uint8Array | null, old: Uint8Array | null): number;
	sigaltstack(stack: Uint8Array, old: Uint8Array | null): number;
	signalMask(how: number, set: Uint8Array, old: Uint8Array | null): number;
	run(first: number, end: number): void;
}

/** A case in the memory that the host's processor runs it in. */
export type CaseView = ViewOf<typeof CaseRecord>;

/**
 * The host's own processor as an oracle: it runs machine code from states that are given to the last bit, in user mode, and gives the
 * states after it. An exception ends a case like an end marker does, so that it is a result too; nothing of it reaches the
 * process. One at a time exists in a process, and its batches block the thread.
 */
export class HostProcessor implements Disposable {
	/** The cases: their code and state before are for the caller to write. */
	readonly cases: readonly CaseView[];
	readonly #trampoline: Trampoline;
	readonly #functions: CFunctions;
	readonly #data: Uint8Array;
	readonly #code: Uint8Array;
	readonly #mapped: {readonly address: number; readonly size: number}[] = [];

	/** @param capacity - the most cases in a batch */
	constructor(capacity: number) {
		const obstacle = siliconObstacle();
		if (obstacle !== undefined) throw new Error(`The host's processor runs no cases: ${obstacle}`);
		this.#trampoline = assembleTrampoline();
		const libc = koffi().load(null);
		// SAFETY: signatures of sigaction(2), sigaltstack(2) and pthread_sigmask(3); `run` is the System V function that the trampoline begins with.
		const call = koffi().proto('void (uint64_t first, uint64_t end)');
		this.#functions = {
			sigaction: libc.func('int sigaction(int signal, const void *action, _Out_ void *old)'),
			sigaltstack: libc.func('int sigaltstack(const void *stack, _Out_ void *old)'),
			signalMask: libc.func('int pthread_sigmask(int how, const void *set, _Out_ void *old)'),
			run: (first, end) => koffi().call(BigInt(this.#trampoline.run), call, first, end),
		};
		const {buffer, places} = this.#map(capacity * CaseRecord.size);
		const bytesOf = (name: keyof typeof regions) => new Uint8Array(buffer, places[name], regions[name].size);
		bytesOf('trampoline').set(this.#trampoline.bytes);
		this.#data = bytesOf('data').fill(filler);
		this.#code = bytesOf('code').fill(filler);
		this.cases = Array.from({length: capacity}, (_, index) =>
			CaseRecord.on(buffer, places.records + index * CaseRecord.size),
		);
		for (const record of this.cases) CaseRecord.reset(record);
	}

	/**
	 * Gives a case its code: `bytes` at `offset` of the code window, and end markers at the other offsets. What is between them
	 * is INT3. The case starts at the code.
	 */
	setCode(record: CaseView, bytes: ArrayLike<number>, ends: readonly number[], offset = 0): void {
		const {code} = record;
		// Shared memory has no fast fill() and set().
		for (let index = 0; index < codeBytes; index++) code[index] = filler;
		for (let index = 0; index < bytes.length; index++) code[offset + index] = bytes[index] as number;
		for (const end of ends) {
			if (end < 0 || end + endMarkerBytes > codeBytes) throw new RangeError(`no end marker fits at ${end}`);
			const marker = this.#trampoline.endMarkers[end] as readonly number[];
			for (let index = 0; index < endMarkerBytes; index++) code[end + index] = marker[index] as number;
		}
		record.before.rip = BigInt(codeAddress + offset);
	}

	/**
	 * Runs the first `count` cases, or those from `first` on.
	 * @throws Error when a case wrote outside its window, or when the processor refused its state
	 */
	run(count: number, first = 0): void {
		if (first + count > this.cases.length) throw new RangeError(`${first + count} cases do not fit the batch`);
		const {sigaction, sigaltstack, signalMask, run} = this.#functions;
		const action = new Uint8Array(sigactionBytes);
		new DataView(action.buffer).setBigUint64(0, BigInt(this.#trampoline.onSignal), true);
		new DataView(action.buffer).setInt32(sigactionFlags, SA_SIGINFO | SA_ONSTACK, true);
		const stack = new Uint8Array(stackBytes);
		new DataView(stack.buffer).setBigUint64(0, BigInt(regions.signalStack.address), true);
		new DataView(stack.buffer).setBigUint64(16, BigInt(regions.signalStack.size), true);

		// Handlers of other signals would run on the stack of a case.
		const others = new Uint8Array(signalSetBytes).fill(0xff);
		for (const signal of faultSignals)
			others[(signal - 1) >> 3] = (others[(signal - 1) >> 3] as number) & ~(1 << ((signal - 1) & 7));
		const oldMask = new Uint8Array(signalSetBytes);
		const oldStack = new Uint8Array(stackBytes);
		const oldActions = faultSignals.map((signal) => ({signal, old: new Uint8Array(sigactionBytes)}));
		checkCall('pthread_sigmask', -signalMask(SIG_BLOCK, others, oldMask));
		checkCall('sigaltstack', sigaltstack(stack, oldStack));
		for (const {signal, old} of oldActions) checkCall('sigaction', sigaction(signal, action, old));
		try {
			run(recordsAddress + first * CaseRecord.size, recordsAddress + (first + count) * CaseRecord.size);
			this.#repeatInterrupted(first, first + count);
		} finally {
			for (const {signal, old} of oldActions) checkCall('sigaction', sigaction(signal, old, null));
			checkCall('sigaltstack', sigaltstack(oldStack, null));
			checkCall('pthread_sigmask', -signalMask(SIG_SETMASK, oldMask, null));
		}
		this.#check(first, count);
	}

	[Symbol.dispose](): void {
		const munmap = koffi().load(null).func('int munmap(uintptr_t address, size_t length)');
		// SAFETY: the regions are this object's; nothing runs in them.
		for (const {address, size} of this.#mapped.splice(0)) munmap(address, size);
	}

	/** One file in memory, mapped as a whole where TypeScript sees it and in parts at the addresses that cases use. */
	#map(recordBytes: number): {buffer: SharedArrayBuffer; places: Record<keyof typeof regions | 'records', number>} {
		const records = {address: recordsAddress, size: recordBytes, protection: Mmap.PROT_READ | Mmap.PROT_WRITE};
		let size = 0;
		const places = {} as Record<keyof typeof regions | 'records', number>;
		const all = {...regions, records};
		for (const name of Object.keys(all) as (keyof typeof all)[]) {
			places[name] = size;
			size += Math.ceil(all[name].size / 4096) * 4096;
		}
		const fd = checkCall('memfd_create', memfdCreate('openvmm-silicon', Memfd.CLOEXEC));
		try {
			checkCall('ftruncate', truncate(fd, size));
			const buffer = allocateSharedPages(size);
			const flags = Mmap.SHARED;
			const whole = {protection: Mmap.PROT_READ | Mmap.PROT_WRITE, flags, fd};
			// SAFETY: the buffer owns its pages; MAP_FIXED_NOREPLACE refuses addresses where anything else is.
			checkCall('mmap', mapOver(addressOf(buffer), size, whole));
			for (const name of Object.keys(all) as (keyof typeof all)[]) {
				const {address, size: length, protection} = all[name];
				const options = {protection, flags: flags | MAP_FIXED_NOREPLACE, fd, offset: places[name]};
				checkCall('mmap', mapOver(BigInt(address), length, options));
				this.#mapped.push({address, size: length});
			}
			return {buffer, places};
		} finally {
			close(fd);
		}
	}

	/**
	 * While RSP is not canonical, an interrupt's return may be a #GP of the case: IRET on processors of AMD checks it. No instruction that
	 * faults has left such an RSP, so the case runs again.
	 */
	#repeatInterrupted(first: number, end: number): void {
		for (let index = first; index < end; index++) {
			const {after} = this.cases[index] as CaseView;
			for (let tries = 0; tries < 8 && after.vector === generalProtection; tries++) {
				const [rsp = 0n, before] = [after.gpr[4], this.cases[index]?.before.gpr[4]];
				if (BigInt.asUintN(64, BigInt.asIntN(48, rsp)) === rsp || rsp === before) break;
				const address = recordsAddress + index * CaseRecord.size;
				this.#functions.run(address, address + CaseRecord.size);
			}
		}
	}

	#check(first: number, count: number): void {
		const {trampoline} = regions;
		for (let index = first; index < first + count; index++) {
			const {vector, rip} = (this.cases[index] as CaseView).after;
			const offset = vector === noVector ? -1 : Number(rip) - trampoline.address;
			if (offset >= 0 && offset < trampoline.size)
				throw new Error(`The state of case ${index} cannot be loaded: exception ${vector}`);
		}
		const {data, code} = regions;
		const outside = [
			[this.#data, data.address, windowAddress, windowEnd],
			[this.#code, code.address, codeAddress, codeEnd],
		] as const;
		for (const [bytes, start, from, to] of outside) {
			const at = bytes.findIndex((byte, i) => byte !== filler && !(start + i >= from && start + i < to));
			if (at < 0) continue;
			const address = (start + at).toString(16);
			bytes.fill(filler);
			throw new Error(`A case of ${first} to ${first + count - 1} wrote outside its window, at ${address}`);
		}
	}
}

function checkCall(name: string, result: number): number {
	if (result < 0) throw new Error(`${name} failed: ${errnoName(result === -1 ? koffi().errno() : result)}`);
	return result;
}
