import {setImmediate} from 'node:timers/promises';
import type {MappedMemory} from '#devices/guest-memory';
import type {AttachedMachine, MachineLayout} from '#devices/machine';
import type {BootRegisters} from '#devices/processor';
import {loadDeviceModels} from '#devices/registry';
import {VmmError} from '#support/errors';
import {MailboxCaller} from '#support/mailbox';
import {programLoader} from '#support/program';
import {lockPatienceMs} from '#support/shared-memory';
import {backEndOf} from '#vcpu-worker/back-ends';
import type {DebugPlan} from '#vcpu-worker/debug';
import type {BackEnd, CpuBackend, Hypervisor, VcpuWiring} from '#vcpu-worker/hypervisor';
import {ExitSampler, now} from '#vcpu-worker/latency';
import {attachMachine, type HostedMachine} from '#vcpu-worker/machine';
import {unknownMsrs} from '#vcpu-worker/msr-policy';
import {answerProbe, type CpuReport, reportCpu} from '#vcpu-worker/probe';
import {type StopReason, VcpuControl, type VcpuControlView, vcpuShared} from '#vcpu-worker/protocol';
import type {ProcessorRegisters, RegisterChanges} from '#vcpu-worker/registers';
import {runVcpu, takeCommands, type VcpuContext} from '#vcpu-worker/run-loop';
import {parseVcpuState, saveVcpuState, type VcpuState, vcpuError} from '#vcpu-worker/state';
import {counterAt, type HeldCounter} from './held-counter.ts';
import {openRehearsal} from './rehearsal.ts';
import type {VcpuWorkerData} from './worker-data.ts';
import {YoungHeap} from './young-heap.ts';

/** Times that a thread rehearses: V8 has then learnt most of what it learns. */
const rehearsals = 4;

/** A vCPU that {@link VcpuWorker.create} has made. */
interface LiveVcpu {
	readonly context: VcpuContext;
	readonly machine: AttachedMachine;
	readonly split: HostedMachine['split'];
	readonly caller: MailboxCaller;
	readonly memory: MappedMemory;
	readonly connect: () => object;
}

/** A vCPU's thread, as its owner calls it. Calls and runs exclude each other: the thread does one at a time. */
export class VcpuWorker {
	readonly #leave: () => void;
	readonly #connect: () => object;
	#live: LiveVcpu | undefined;
	/** Resolves when {@link create} has made the vCPU, or could not, and nothing is rehearsed. */
	#creating: Promise<unknown> = Promise.resolve();
	/** A machine has come. */
	#isWanted = false;
	/** The time-stamp counter as it was when the guest came to stand still. */
	#held: HeldCounter | undefined;
	/** The thread shall not serve another machine. */
	#isSpent = false;
	readonly #young = new YoungHeap();

	/**
	 * @param leave - ends the thread, where this has one of its own
	 * @param connect - opens a channel to its owner, and gives its end of it
	 */
	constructor(leave: () => void, connect: () => object) {
		this.#leave = leave;
		this.#connect = connect;
	}

	/** Creates the vCPU. Call first. @throws VmmError of the back end */
	create(data: VcpuWorkerData): Promise<void> {
		this.#isWanted = true;
		this.#young.isBusy();
		const created = this.#creating.then(() => this.#create(data));
		this.#creating = created.catch(() => {
			this.#isSpent = true;
		});
		return created;
	}

	/**
	 * Does some times over what clones ask of a thread, until a machine comes. The first time V8 compiles all that is executed, which takes
	 * five times as long as what it does; the next times are for what it learns.
	 * @returns how often it did: not at all for a back end after whose processors a thread ends
	 */
	async rehearse(hypervisor: Hypervisor & BackEnd): Promise<number> {
		if (this.#isWanted || hypervisor.leavesThreadsClean !== true) return 0;
		const rehearsed = this.#rehearse(hypervisor);
		this.#creating = rehearsed.catch(() => {
			this.#isSpent = true;
		});
		return rehearsed;
	}

	async #rehearse(hypervisor: Hypervisor & BackEnd): Promise<number> {
		const {data, close} = await openRehearsal(hypervisor);
		try {
			let times = 0;
			for (; times < rehearsals && !this.#isWanted; times++) {
				await this.#create(data);
				this.#restore(parseVcpuState(this.save()));
				this.#close();
				// A machine that has come meanwhile says so.
				await setImmediate();
			}
			if (!this.#isWanted) this.#young.isIdle();
			return times;
		} finally {
			close();
		}
	}

	async #create(data: VcpuWorkerData): Promise<void> {
		const isBoot = data.index === 0;
		this.#mind(data.layout);
		const {machine, memory, split} = await attachMachine(data, {alertsBootCpu: !isBoot, vp: data.index});
		const pic = isBoot ? split : undefined;
		const {control, probe, latencies, sample} = vcpuShared(data.control);
		const caller = new MailboxCaller(data.layout.mailbox, data.index, {
			spins: data.mailboxSpins,
			patienceMs: lockPatienceMs,
			// A device that does not answer must not keep the processor from being looked at, or a machine long from its end.
			waiting() {
				answerProbe(probe, cpu);
				return Atomics.load(control.$atomic, VcpuControl.word('stopRequested')) !== 0;
			},
		});
		const backEnd = await backEndOf(data.partition);
		if (backEnd.leavesThreadsClean !== true) this.#isSpent = true;
		const live = {machine, split, caller, memory, connect: this.#connect};
		const sampler = new ExitSampler(latencies);
		const cpu = await backEnd.enter(data.partition, data.vcpu, wiring(live, {control, pic, sampler}));
		if (cpu.levels !== undefined) machine.access.levels = cpu.levels;
		const context = {cpu, events: machine.events, control, probe, sample, memory, sampler, split, isBoot};
		this.#live = {context, ...live};
	}

	/** Follows the machine to devices that have come or gone. */
	async change(layout: MachineLayout): Promise<void> {
		const live = this.#vcpu;
		this.#mind(layout);
		const {findModel} = await loadDeviceModels(layout.modules);
		const {machine, context} = live;
		machine.change(layout, findModel);
		context.cpu.connect(wiring(live, {...context, pic: context.isBoot ? context.split : undefined}));
	}

	/**
	 * Puts the vCPU into its state at power-on, which it is in when created. May be called while it is.
	 * @param entry - state in which a boot processor starts: the boot protocol's registers on top of the state at power-on
	 */
	async reset(entry?: BootRegisters): Promise<void> {
		await this.#creating;
		const {cpu, control} = this.#vcpu.context;
		// Earlier commands are not meant for the guest that starts now.
		Atomics.store(control.$atomic, VcpuControl.word('commands'), 0);
		cpu.reset();
		if (entry !== undefined) begin(cpu, entry);
	}

	/** The vCPU's state, as data that survives JSON. */
	save(): unknown {
		takeCommands(this.#vcpu.context);
		return saveVcpuState(this.#vcpu.context.cpu.save(this.#counterNow()));
	}

	/**
	 * Takes a state that {@link save} gave, or anybody: see {@link CpuBackend.restore}. May be called while the vCPU is created.
	 * @param state - parsed, which clones of a snapshot need not do again
	 * @throws VmmError
	 */
	async restore(state: VcpuState, counterShift?: bigint): Promise<bigint> {
		await this.#creating;
		return this.#restore(state, counterShift);
	}

	#restore(state: VcpuState, counterShift?: bigint): bigint {
		const {cpu} = this.#vcpu.context;
		const {current = 0, others = []} = state.levels ?? {};
		const highest = Math.max(current, ...others.map(({vtl}) => vtl));
		if (highest > (cpu.levels?.highest ?? 0))
			throw vcpuError('VCPU_NEEDS_MISSING', {missing: [`trust level ${highest}`]});
		const shift = cpu.restore(state, counterShift);
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
	async run(plan?: DebugPlan): Promise<StopReason> {
		try {
			const {context} = this.#vcpu;
			context.cpu.debug(plan);
			let reason = runVcpu(context);
			while (reason.kind === 'parked') {
				await context.cpu.kicked?.();
				reason = runVcpu(context);
			}
			this.#holdCounter();
			return reason;
		} catch (caught) {
			this.#isSpent = true;
			if (caught instanceof VmmError) return {kind: 'failed', error: caught.toData()};
			const stack = caught instanceof Error ? caught.stack : String(caught);
			const message = `A vCPU's exit could not be served: ${caught instanceof Error ? caught.message : caught}`;
			return {kind: 'failed', error: {code: 'INTERNAL_ERROR', message, context: {stack}}};
		}
	}

	/** Reports what the processor is doing; for a vCPU that does not run. */
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

	/**
	 * Closes the vCPU, also one that is still being created, and keeps nothing of its machine.
	 * @returns whether {@link create} may follow: nothing has failed here, and nobody else's code has run
	 */
	async release(): Promise<boolean> {
		await this.#creating;
		const isBoot = this.#live?.context.isBoot;
		this.#close();
		if (isBoot) programLoader.keepCode();
		if (!this.#isSpent) this.#young.isIdle();
		return !this.#isSpent;
	}

	#close(): void {
		const live = this.#live;
		this.#live = undefined;
		this.#held = undefined;
		live?.context.cpu.close();
	}

	/** Does what {@link release} does, and leaves the thread. Not answered. */
	async dispose(): Promise<void> {
		try {
			await this.release();
		} finally {
			this.#leave();
		}
	}

	/** Modules of a user's own may keep what they like, and shall be read anew for the next machine. */
	#mind({modules}: MachineLayout): void {
		if (modules.length > 0) this.#isSpent = true;
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

/** The boot protocol's registers on top of the state at power-on. */
function begin(cpu: CpuBackend, {general, special}: BootRegisters): void {
	cpu.writeSpecial({...cpu.readSpecial(), ...special});
	cpu.writeGeneral({...cpu.readGeneral(), ...general});
}

/** Parts that a vCPU's run loop looks at. */
interface Looks {
	readonly control: VcpuControlView;
	/** The PIC, where its interrupts come to this processor. */
	readonly pic: HostedMachine['split'];
	readonly sampler: ExitSampler;
}

const counters = {port: 'portExits', mmio: 'mmioExits', msr: 'msrExits'} as const;

const wiring = (
	{machine, caller, split, memory, connect}: Omit<LiveVcpu, 'context'>,
	{control, pic, sampler}: Looks,
): VcpuWiring => ({
	bus: machine.bus(caller),
	msrs: machine.msrs(unknownMsrs),
	hypercalls: machine.hypercalls(),
	memory,
	began: () => (sampler.servedDue() ? now() : 0),
	served(kind, began) {
		control[counters[kind]]++;
		if (began !== 0) sampler.recordServed(kind, began, now());
		return machine.events.pending || pic?.extInt === true;
	},
	connect,
	endOfInterrupt: (vector) => split?.endOfInterrupt(vector),
});
