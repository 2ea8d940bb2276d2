import type {Halves} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import type {ErrorData} from '#support/errors';
import {Errno, errnoName} from '#support/ffi';
import type {DebugPlan, DebugStop} from '#vcpu-worker/debug';
import type {
	CounterReading,
	CpuBackend,
	ExitKind,
	ProcessorPlace,
	Resumption,
	VcpuWiring,
} from '#vcpu-worker/hypervisor';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import type {VcpuState} from '#vcpu-worker/state';
import {Exit, MpState, SystemEvent} from './constants.ts';
import {cpuDetails} from './cpu-details.ts';
import {ExitReader} from './exits.ts';
import {readRegisters, writeRegisters} from './processor-registers.ts';
import {resumeVcpu} from './resume-vcpu.ts';
import {serveMmio, servePort, serveRdmsr, serveWrmsr} from './serve-exit.ts';
import {readTsc} from './tsc.ts';
import {controlBytes, type KvmVcpu} from './vcpu.ts';
import {VcpuDebug} from './vcpu-debug.ts';
import {restoreVcpu, type SnapshotOptions, saveVcpu, type VcpuSnapshot} from './vcpu-snapshot.ts';
import {readVcpuState, writeVcpuState} from './vcpu-transfer.ts';

/** Remedy where KVM touches guest memory and the host has no page for it: that gives no signal, but EFAULT. */
const noPage = 'Look for a file under guest memory that has been cut, or whose file system is full';

/** KVM as the run loop's processor. */
export class KvmBackend implements CpuBackend {
	readonly #vcpu: KvmVcpu;
	readonly #exit: ExitReader;
	readonly #options: SnapshotOptions;
	readonly #debug: VcpuDebug;
	readonly #powerOn: VcpuSnapshot;
	readonly #msrValue: Halves = {low: 0, high: 0};
	#wiring: VcpuWiring;
	readonly #end: () => void;
	#runErrno = 0;

	/** @param end - closes the vCPU */
	constructor(vcpu: KvmVcpu, options: SnapshotOptions, wiring: VcpuWiring, end: () => void) {
		this.#vcpu = vcpu;
		this.#end = end;
		this.#wiring = wiring;
		this.#options = options;
		this.#exit = new ExitReader(controlBytes(vcpu.control));
		this.#debug = new VcpuDebug(vcpu, this.#exit);
		this.#powerOn = saveVcpu(vcpu, options);
	}

	connect(wiring: VcpuWiring): void {
		this.#wiring = wiring;
	}

	clearKick(): void {
		this.#vcpu.kicks.acknowledge();
	}

	run(): ExitKind {
		if (this.#debug.stopsHere()) return 'debug';
		const result = this.#vcpu.run();
		return result === 0 ? this.#kind() : this.#interrupted(result);
	}

	serve(): void {
		const exit = this.#exit;
		const {bus, msrs} = this.#wiring;
		switch (exit.reason) {
			case Exit.IO:
				servePort(exit.io, bus);
				break;
			case Exit.MMIO:
				serveMmio(exit.mmio, bus);
				break;
			case Exit.X86_RDMSR:
				serveRdmsr(exit.msr, msrs, this.#msrValue);
				break;
			case Exit.X86_WRMSR:
				serveWrmsr(exit.msr, msrs, this.#msrValue);
				break;
			case Exit.IOAPIC_EOI:
				this.#wiring.endOfInterrupt(exit.eoiVector);
				break;
		}
	}

	completeExit(): ExitKind {
		const result = this.#vcpu.completeExit();
		return result === 0 ? this.#kind() : this.#interrupted(result);
	}

	get readyForInterrupt(): boolean {
		return this.#exit.readyForInterrupt;
	}

	requestInterruptWindow(wanted: boolean): void {
		this.#exit.requestInterruptWindow(wanted);
	}

	interrupt(vector: number): void {
		this.#vcpu.interrupt(vector);
	}

	failure(): ErrorData {
		const remedy = '`openvmm doctor` shows what this host supports';
		if (this.#runErrno !== 0) {
			const errno = this.#runErrno;
			const message = `KVM_RUN failed with ${errnoName(errno)}`;
			return {code: 'KVM_RUN_FAILED', message, remedy: errno === Errno.EFAULT ? noPage : remedy, context: {errno}};
		}
		const what = this.#exit.describe();
		const {rip} = this.#vcpu.getGeneral();
		const message = `KVM cannot run the guest on: ${what}, at RIP 0x${rip.toString(16)}`;
		return {code: 'GUEST_UNRUNNABLE', message, remedy, context: {exit: what, rip: rip.toString(16)}};
	}

	readGeneral(): GeneralRegisters {
		return this.#vcpu.getGeneral();
	}

	writeGeneral(registers: GeneralRegisters): void {
		this.#vcpu.setGeneral(registers);
	}

	readSpecial(): SpecialRegisters {
		return this.#vcpu.getSpecial();
	}

	writeSpecial(registers: SpecialRegisters): void {
		this.#vcpu.setSpecial(registers);
	}

	nmi(): void {
		this.#vcpu.nmi();
	}

	details(): ReturnType<typeof cpuDetails> {
		return cpuDetails(this.#vcpu, this.#options.msrIndexes);
	}

	debug(plan: DebugPlan | undefined): void {
		this.#debug.begin(plan);
	}

	takeDebugExit(): DebugStop | undefined {
		return this.#debug.take();
	}

	place(): ProcessorPlace {
		return {isWaiting: this.#vcpu.getMpState() !== MpState.RUNNABLE};
	}

	readRegisters(): ProcessorRegisters {
		return readRegisters(this.#vcpu, this.#options.xsaveSize);
	}

	writeRegisters(changes: RegisterChanges): void {
		writeRegisters(this.#vcpu, changes, this.#options.xsaveSize);
	}

	reset(): void {
		restoreVcpu(this.#vcpu, this.#powerOn, this.#options);
	}

	readCounter(): CounterReading {
		return readTsc(this.#vcpu.fd);
	}

	resume(resumption: Resumption, memory: GuestMemory): bigint {
		return resumeVcpu(this.#vcpu.fd, resumption, memory);
	}

	save(counter?: bigint): VcpuState {
		return readVcpuState(this.#vcpu, this.#options, this.#powerOn.msrs, counter);
	}

	restore(state: VcpuState, counterShift?: bigint): bigint {
		return writeVcpuState(this.#vcpu, state, this.#options, counterShift);
	}

	close(): void {
		this.#end();
	}

	#kind(): ExitKind {
		switch (this.#exit.reason) {
			case Exit.IO:
				return 'port';
			case Exit.MMIO:
				return 'mmio';
			case Exit.X86_RDMSR:
			case Exit.X86_WRMSR:
				return 'msr';
			case Exit.SHUTDOWN:
				return 'shutdown';
			case Exit.DEBUG:
				return 'debug';
			case Exit.IOAPIC_EOI:
				return 'eoi';
			case Exit.INTR:
			case Exit.IRQ_WINDOW_OPEN:
				return 'interrupted';
			case Exit.SYSTEM_EVENT:
				return this.#systemEvent();
			default:
				this.#runErrno = 0;
				return 'failed';
		}
	}

	#systemEvent(): ExitKind {
		const {type} = this.#exit.systemEvent();
		if (type === SystemEvent.RESET) return 'reset';
		return type === SystemEvent.SHUTDOWN ? 'power-off' : 'shutdown';
	}

	#interrupted(result: number): ExitKind {
		// EAGAIN: a processor that waited for its start-up signal has got it, or was woken.
		if (result === -Errno.EINTR || result === -Errno.EAGAIN) {
			this.#vcpu.kicks.acknowledge();
			return 'interrupted';
		}
		this.#runErrno = -result;
		return 'failed';
	}
}
