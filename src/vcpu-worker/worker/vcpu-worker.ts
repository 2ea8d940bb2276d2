import {type GuestMemory, MappedMemory} from '#devices/guest-memory';
import type {AttachedMachine, MachineLayout} from '#devices/machine';
import {loadDeviceModels} from '#devices/registry';
import {VmmError} from '#support/errors';
import {MailboxCaller} from '#support/mailbox';
import {leaveOwner} from '#support/rpc';
import type {CpuBackend} from '#vcpu-worker/backend';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import type {DebugPlan} from '#vcpu-worker/debug';
import {getLapic, KvmBackend, KvmVcpu, setLapic, setMsrs} from '#vcpu-worker/kvm';
import {ExitSampler} from '#vcpu-worker/latency';
import {attachMachine, kicker, type MachineHandle, type VcpuHandle} from '#vcpu-worker/machine';
import type {MsrValue} from '#vcpu-worker/msr-policy';
import {answerProbe, type CpuReport, reportCpu} from '#vcpu-worker/probe';
import {type StopReason, VcpuControl, vcpuShared} from '#vcpu-worker/protocol';
import type {BootRegisters, ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {runVcpu, type VcpuContext} from '#vcpu-worker/run-loop';
import {counterAt, type HeldCounter} from './held-counter.ts';

/** What a vCPU's thread starts with: plain data and shared buffers. */
export interface VcpuWorkerData extends MachineHandle {
	/** 0 is the boot processor. */
	readonly index: number;
	/** Local APIC id and KVM's vCPU id. */
	readonly apicId: number;
	readonly handle: VcpuHandle;
	/** The boot processor's, which is this one's where the index is 0. */
	readonly bootHandle: VcpuHandle;
	readonly cpuid: readonly CpuidEntry[];
	/** The local APIC is in x2APIC mode at power-on, as firmware leaves it where ids need that. */
	readonly x2apicEnabled: boolean;
	/** Set at power-on. */
	readonly msrs: readonly MsrValue[];
	/** What makes up a vCPU's state on this host. */
	readonly msrIndexes: readonly number[];
	readonly xsaveSize: number;
	/** Looks at a mailbox reply before sleeping. */
	readonly mailboxSpins: number;
	/** Where the boot processor starts: the boot protocol's registers on top of the state at power-on. */
	readonly entry?: BootRegisters;
}

/** IA32_TIME_STAMP_COUNTER runs through a reset: setting it back would set the processors' counters apart. */
const tscIndex = 0x10;

/** IA32_APIC_BASE: enabled, in x2APIC mode (Intel SDM vol. 3, 11.12.1). */
const apicBaseX2apic = 0xc00n;

/** What {@link VcpuWorker.create} makes. */
interface LiveVcpu {
	readonly vcpu: KvmVcpu;
	readonly context: VcpuContext;
	readonly machine: AttachedMachine;
	readonly caller: MailboxCaller;
	readonly memory: GuestMemory;
	/** Before the boot protocol's registers. */
	readonly powerOn: unknown;
}

/** A vCPU's thread, as its owner calls it. Calls and runs exclude each other: the thread does one at a time. */
export class VcpuWorker {
	#live: LiveVcpu | undefined;
	/** The time-stamp counter as it was when the guest came to stand still. */
	#held: HeldCounter | undefined;

	/** Creates the vCPU. Call first. @throws VmmError of the KVM layer */
	async create(data: VcpuWorkerData): Promise<void> {
		// The boot processor looks at its pin before each entry: it need not be told while it runs this thread.
		const {machine, split} = await attachMachine(data, data.index === 0 ? () => {} : kicker(data.bootHandle));
		const {control, probe, latencies} = vcpuShared(data.handle.control);
		const vcpu = createVcpu(data);
		const msrIndexes = data.msrIndexes.filter((index) => index !== tscIndex);
		const cpu = new KvmBackend(vcpu, {msrIndexes, xsaveSize: data.xsaveSize, cpuid: data.cpuid});
		const giveUp = () => {
			// A device that does not answer must not keep the processor from being looked at.
			answerProbe(probe, cpu);
			return Atomics.load(control.$atomic, VcpuControl.word('stopRequested')) !== 0;
		};
		const caller = new MailboxCaller(data.layout.mailbox, data.index, {spins: data.mailboxSpins, giveUp});
		Atomics.store(control.$atomic, VcpuControl.word('tid'), cpu.prepareThread());
		const isBoot = data.index === 0;
		const sampler = new ExitSampler(latencies);
		const context = {cpu, bus: machine.bus(caller), events: machine.events, control, probe, sampler, split, isBoot};
		this.#live = {vcpu, context, machine, caller, memory: new MappedMemory(data.memory), powerOn: cpu.save()};
		if (data.entry !== undefined) enter(cpu, data.entry);
	}

	/** Follows the machine to devices that have come or gone. */
	async change(layout: MachineLayout): Promise<void> {
		const {findModel} = await loadDeviceModels(layout.modules);
		const live = this.#vcpu;
		live.machine.change(layout, findModel);
		this.#live = {...live, context: {...live.context, bus: live.machine.bus(live.caller)}};
	}

	/** Puts the vCPU into its state at power-on, which it is in when created. @param entry - as in {@link VcpuWorkerData} */
	reset(entry?: BootRegisters): void {
		const {context, powerOn} = this.#vcpu;
		context.cpu.restore(powerOn);
		if (entry !== undefined) enter(context.cpu, entry);
	}

	/** The vCPU's state, as data that survives JSON. */
	save(): unknown {
		return this.#vcpu.context.cpu.toSnapshot(this.#counterNow());
	}

	/** Takes what {@link save} gave: see {@link CpuBackend.fromSnapshot}. */
	restore(saved: unknown, counterShift?: bigint): bigint {
		const shift = this.#vcpu.context.cpu.fromSnapshot(saved, counterShift);
		this.#holdCounter();
		return shift;
	}

	/**
	 * Goes on after the machine stood still: the time-stamp counter follows VM time. Before {@link run}, with VM time running.
	 * @param counterShift - what the first vCPU's call returned, so that all counters stay together
	 * @returns undefined where the vCPU has not run yet: its counter may be what it is
	 */
	resume(counterShift?: bigint): bigint | undefined {
		const [counter, held] = [this.#counterNow(), this.#held];
		if (counter === undefined || held === undefined) return undefined;
		const {context, machine, memory} = this.#vcpu;
		const caughtUpNs = machine.time.caughtUpNs - held.caughtUpNs;
		const shift = context.cpu.resume(
			{counter, caughtUpNs, ...(counterShift !== undefined && {shift: counterShift})},
			memory,
		);
		this.#holdCounter();
		return shift;
	}

	/**
	 * Runs until the vCPU stops. Never throws: a failure of ours stops this machine and no other.
	 * @param plan - what a debugger wants of this run
	 */
	run(plan?: DebugPlan): StopReason {
		try {
			this.#vcpu.context.cpu.debug(plan);
			const reason = runVcpu(this.#vcpu.context);
			this.#holdCounter();
			return reason;
		} catch (caught) {
			if (caught instanceof VmmError) return {kind: 'failed', error: caught.toData()};
			const stack = caught instanceof Error ? caught.stack : String(caught);
			const message = `A vCPU's exit could not be served: ${caught instanceof Error ? caught.message : caught}`;
			return {kind: 'failed', error: {code: 'INTERNAL_ERROR', message, context: {stack}}};
		}
	}

	/** What the processor is doing; for a vCPU that does not run. */
	report(): CpuReport {
		return reportCpu(this.#vcpu.context.cpu);
	}

	/** The registers of the stopped vCPU. */
	readRegisters(): ProcessorRegisters {
		return this.#vcpu.context.cpu.readRegisters();
	}

	/** Changes registers of the stopped vCPU. @throws VmmError for values that the back end refuses */
	writeRegisters(changes: RegisterChanges): void {
		this.#vcpu.context.cpu.writeRegisters(changes);
	}

	/** Queues a non-maskable interrupt. */
	nmi(): void {
		this.#vcpu.context.cpu.nmi();
	}

	/** Closes the vCPU and leaves the thread. Not answered. */
	dispose(): void {
		this.#live?.vcpu.close();
		this.#live = undefined;
		leaveOwner();
	}

	#holdCounter(): void {
		const {context, machine} = this.#vcpu;
		const {time} = machine;
		this.#held = {...context.cpu.readCounter(), atNs: time.nowNs(), caughtUpNs: time.caughtUpNs};
	}

	#counterNow(): bigint | undefined {
		return this.#held && counterAt(this.#held, this.#vcpu.machine.time.nowNs());
	}

	get #vcpu(): LiveVcpu {
		if (this.#live === undefined) throw new TypeError('the vCPU has not been created');
		return this.#live;
	}
}

function enter(cpu: CpuBackend, {general, special}: BootRegisters): void {
	cpu.writeSpecial({...cpu.readSpecial(), ...special});
	cpu.writeGeneral({...cpu.readGeneral(), ...general});
}

function createVcpu(data: VcpuWorkerData): KvmVcpu {
	const {run} = data.handle;
	const vcpu = KvmVcpu.create(data.vmFd, data.apicId, run, run.byteLength);
	vcpu.setCpuid(data.cpuid);
	setMsrs(vcpu.fd, data.msrs);
	// KVM finds the target of an interrupt message in a map that it makes anew when an APIC's state is set, but not when a
	// vCPU has been created: the last one would stay deaf to its start-up message.
	setLapic(vcpu.fd, getLapic(vcpu.fd));
	if (data.x2apicEnabled) {
		const special = vcpu.getSpecial();
		vcpu.setSpecial({...special, apicBase: special.apicBase | apicBaseX2apic});
	}
	return vcpu;
}
