import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import {addressOf, close, Mmap, mapOver} from '#support/ffi';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {ArgumentBuffer} from './argument-buffer.ts';
import {cpuidBuffer, readCpuid, withoutUnused, writeCpuid} from './cpuid.ts';
import {kvmError} from './errors.ts';
import {ioctl, kvmIoctl} from './ioctl.ts';
import {ioctls} from './ioctls.ts';
import {KickReceiver, setRunSignalMask} from './kick.ts';
import {fromSpecialRegisters, toSpecialRegisters} from './registers.ts';
import {KvmMpState, KvmRegs, KvmSregs} from './structs-vcpu.ts';
import {KvmInterrupt} from './structs-vm.ts';

/** Shared memory that a vCPU's page is mapped over: part of a shared WebAssembly memory, page aligned. */
export interface ControlMemory {
	readonly buffer: SharedArrayBuffer;
	/** Multiple of the page size. */
	readonly byteOffset: number;
	/** At least the host's mapping size (`vcpuMmapSize`), which is three pages. */
	readonly byteLength: number;
}

/** The bytes of control memory, for {@link ExitReader} and {@link VcpuKick} on any thread. */
export const controlBytes = ({buffer, byteOffset, byteLength}: ControlMemory): Uint8Array =>
	new Uint8Array(buffer, byteOffset, byteLength);

const RUN = ioctls.KVM_RUN.request;
const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;

/**
 * A vCPU of KVM. Its descriptor and its mapped page belong to the process: the thread that creates it need not be the one
 * that runs it, but only one thread may run it at a time, and register calls wait while it runs.
 * Everything but {@link run} is cold and throws KVM_IOCTL_FAILED. Further state: `vcpu-state.ts`.
 */
export class KvmVcpu {
	readonly fd: number;
	readonly control: ControlMemory;
	/** This thread's side of the kick. */
	readonly kicks: KickReceiver;
	readonly #argument = new ArgumentBuffer();

	/** The vCPU that has been created as this descriptor, by whichever thread. */
	constructor(fd: number, control: ControlMemory) {
		this.fd = fd;
		this.control = control;
		this.kicks = new KickReceiver(controlBytes(control));
	}

	/**
	 * Creates a vCPU and maps its page over `control`.
	 * @param mmapSize - see `vcpuMmapSize`
	 */
	static create(vmFd: number, vcpuId: number, control: ControlMemory, mmapSize: number): KvmVcpu {
		if (control.byteLength < mmapSize)
			throw kvmError('HOST_CALL_FAILED', {call: `mmap of ${mmapSize} over ${control.byteLength} bytes`, errno: 22});
		const fd = kvmIoctl(vmFd, 'KVM_CREATE_VCPU', vcpuId, `vCPU ${vcpuId}`);
		try {
			const mapped = mapOver(hostAddress(control), mmapSize, {protection, flags: Mmap.SHARED, fd});
			if (mapped < 0) throw kvmError('HOST_CALL_FAILED', {call: `mmap of vCPU ${vcpuId}`, errno: -mapped});
			setRunSignalMask(fd);
			return new KvmVcpu(fd, control);
		} catch (error) {
			closeVcpu(fd, control);
			throw error;
		}
	}

	/** See {@link closeVcpu}. */
	close(): void {
		closeVcpu(this.fd, this.control);
	}

	/**
	 * Runs the guest until the next exit, finishing the previous one first. Hot: allocates nothing, never throws.
	 * Call only on a thread that called `prepareThread`.
	 * @returns 0: an exit is in the mapped page; -EINTR: kicked, see {@link KickReceiver.acknowledge}; -EAGAIN: a waiting
	 * processor got its start-up signal, run again; other negated errno: the vCPU cannot run
	 */
	run(): number {
		return ioctl(this.fd, RUN, 0);
	}

	/**
	 * Finishes the access of the last exit without running the guest, so that the registers are those between two
	 * instructions. -EINTR when finished; 0 when the access has a further part: serve that exit and call again. Clears
	 * kicks as it finishes: look at what was asked afterwards.
	 */
	completeExit(): number {
		this.kicks.exitImmediately();
		const result = this.run();
		if (result !== 0) this.kicks.acknowledge();
		return result;
	}

	getGeneral(): GeneralRegisters {
		kvmIoctl(this.fd, 'KVM_GET_REGS', this.#argument);
		return KvmRegs.read(this.#argument.view);
	}

	setGeneral(registers: GeneralRegisters): void {
		kvmIoctl(this.fd, 'KVM_SET_REGS', this.#argument.with(KvmRegs, registers));
	}

	getSpecial(): SpecialRegisters {
		kvmIoctl(this.fd, 'KVM_GET_SREGS', this.#argument);
		return toSpecialRegisters(KvmSregs.read(this.#argument.view));
	}

	setSpecial(registers: SpecialRegisters): void {
		kvmIoctl(this.fd, 'KVM_SET_SREGS', this.#argument.with(KvmSregs, fromSpecialRegisters(registers)));
	}

	/** One of {@link MpState}. Needs local APICs in the kernel. */
	getMpState(): number {
		kvmIoctl(this.fd, 'KVM_GET_MP_STATE', this.#argument);
		return KvmMpState.read(this.#argument.view).mp_state;
	}

	setMpState(state: number): void {
		kvmIoctl(this.fd, 'KVM_SET_MP_STATE', this.#argument.with(KvmMpState, {mp_state: state}), `state ${state}`);
	}

	/** Reads CPUID's answers (KVM_GET_CPUID2). */
	getCpuid(): CpuidEntry[] {
		const buffer = cpuidBuffer();
		kvmIoctl(this.fd, 'KVM_GET_CPUID2', buffer);
		// Linux before 6.6 leaves the number of entries as it was given: those behind the last one are zero.
		return withoutUnused(readCpuid(buffer));
	}

	/** Sets what CPUID answers (KVM_SET_CPUID2). Before the first run: features and register widths follow from it. */
	setCpuid(entries: readonly CpuidEntry[]): void {
		kvmIoctl(this.fd, 'KVM_SET_CPUID2', writeCpuid(entries), `${entries.length} entries`);
	}

	/** Injects an external interrupt; without local APICs in the kernel, or as the split PIC's. */
	interrupt(vector: number): void {
		kvmIoctl(this.fd, 'KVM_INTERRUPT', this.#argument.with(KvmInterrupt, {irq: vector}), `vector ${vector}`);
	}

	/** Queues a non-maskable interrupt. */
	nmi(): void {
		kvmIoctl(this.fd, 'KVM_NMI');
	}
}

/** Ends a vCPU, on any thread. The control memory becomes plain zeros, so that late readers see no exit and do no harm. */
export function closeVcpu(fd: number, control: ControlMemory): void {
	mapOver(hostAddress(control), control.byteLength, {protection, flags: Mmap.PRIVATE | Mmap.ANONYMOUS, fd: -1});
	close(fd);
}

const hostAddress = ({buffer, byteOffset}: ControlMemory): bigint => addressOf(buffer) + BigInt(byteOffset);
