import type {MessagePort} from 'node:worker_threads';
import type {Halves} from '#devices/device';
import type {GuestMemory} from '#devices/guest-memory';
import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import type {ErrorData} from '#support/errors';
import {type CpuidEntry, describeCpuid, missingNeeds, needsOf} from '#vcpu-worker/cpuid';
import type {DebugPlan, DebugStop} from '#vcpu-worker/debug';
import type {
	CounterReading,
	CpuBackend,
	ExitKind,
	ProcessorPlace,
	Resumption,
	VcpuWiring,
} from '#vcpu-worker/hypervisor';
import {Msr, type ProcessorRegisters, type RegisterChanges} from '#vcpu-worker/registers';
import {loadInterpreter} from '#vcpu-worker/software/interpreter';
import {isApicMsr, LocalApic, LocalApics} from '#vcpu-worker/software/local-apic';
import {Lockstep} from '#vcpu-worker/software/lockstep';
import {Component, CpuState, Request} from '#vcpu-worker/software/state';
import {
	type Outside,
	Processor,
	randomNumbers,
	readUpperHalves,
	takeImage,
	writeUpperHalves,
} from '#vcpu-worker/software/system';
import {Begins} from '#vcpu-worker/software/translation-store';
import {type Activity, type VcpuState, vcpuError} from '#vcpu-worker/state';
import type {Alert} from './alert.ts';
import {TimeStampCounter} from './counter.ts';
import {CpuidTable} from './cpuid-table.ts';
import {readGeneral, readSpecial, writeGeneral, writeSpecial} from './general-registers.ts';
import type {SoftwarePartitionHandle, SoftwareVcpuHandle} from './handles.ts';
import {hypercall} from './hypercalls.ts';
import {KvmInterface} from './kvm-interface.ts';
import {offer} from './offer.ts';
import {PartitionClock} from './partition-clock.ts';
import {closeRunDelay} from './steal-time.ts';
import {translationsBy} from './translation-port.ts';
import {restoreState, saveState} from './vcpu-state.ts';

/** Instructions between two looks at the clock: some tens of microseconds. */
const budget = 20_000;
/** Executions of a block until it is translated: what V8 takes for a function is then less than what it has cost. */
const heat = 10_000;
/** The same where translations are compared: so that many are made. */
const comparedHeat = 50;
/**
 * Most instructions that a processor goes on for when it is kicked, a random number of them: code that is translated stops where it goes back
 * only, and a profile is to find it where it spends its time.
 */
const mostDrift = 512;
const requestWord = CpuState.word('request');
const nsPerMs = 1e6;
/** Longest wait without a look, in milliseconds. */
const maxWaitMs = 1000;

/** The software processor as the run loop's. Accesses are served within {@link run}. */
export class SoftwareVcpu implements CpuBackend {
	readonly processor: Processor;
	readonly apic: LocalApic;
	readonly counter: TimeStampCounter;
	readonly kvm: KvmInterface;
	/** The processor's activity, but for HLT. */
	activity: Activity;
	readonly #handle: SoftwareVcpuHandle;
	/** Answers of CPUID: those of the guest that was restored, where one was. */
	#answers: readonly CpuidEntry[];
	#cpuid: CpuidTable;
	readonly #apics: LocalApics;
	readonly #alert: Alert;
	readonly #words: Int32Array;
	readonly #value: Halves = {low: 0, high: 0};
	#wiring: VcpuWiring;
	/** To the partition: for requests for translations, or what lockstep finds. */
	#port: MessagePort | undefined;
	/** The run is to end where the guest can take the PIC's interrupt. */
	#wantsWindow = false;
	#nmiIsPending = false;
	/** Another processor has let this one go on from the next HLT: KVM_HC_KICK_CPU. */
	isUnhalted = false;
	/** Page of the local APIC's registers; -1 where memory has none. */
	#apicPage = -1;

	constructor(partition: SoftwarePartitionHandle, handle: SoftwareVcpuHandle, alert: Alert, wiring: VcpuWiring) {
		const {index} = handle;
		this.#handle = handle;
		this.#wiring = wiring;
		const apics = new LocalApics(partition.apics, (processor) => alert(processor, Request.APIC));
		this.#apics = apics;
		this.#alert = alert;
		this.#answers = handle.cpuid;
		this.#cpuid = new CpuidTable(handle.cpuid);
		const clock = new PartitionClock(partition.clock);
		this.counter = new TimeStampCounter(clock, handle.tscKhz);
		this.kvm = new KvmInterface(wiring.memory, clock, this.counter);
		const {counter} = this;
		this.apic = new LocalApic(apics, handle, offer, {
			now: () => counter.now(),
			counter: () => counter.counter(),
			timeOf: (value) => counter.timeOf(value),
			endOfInterrupt: (vector) => this.#wiring.endOfInterrupt(vector),
		});
		const devices = {
			read: (gpa: number, bytes: 1 | 2 | 4) => this.#readMemory(gpa, bytes),
			write: (gpa: number, bytes: 1 | 2 | 4, value: number) => this.#writeMemory(gpa, bytes, value),
		};
		const open = () => this.#open();
		const {translated} = partition;
		const source = translated && translationsBy(open, new Begins(translated));
		this.processor = new Processor(wiring.memory, partition.shared, index, devices, this.#outside(), source);
		const {lockstep} = handle;
		if (lockstep)
			this.processor.lockstep = new Lockstep(this.processor, {found: (difference) => open().postMessage(difference)});
		this.processor.heat = lockstep ? comparedHeat : heat;
		this.#words = this.processor.core.state.$atomic;
		this.activity = 'running';
		this.reset();
	}

	/** Compiles what all processors of this thread execute. */
	static warm(): void {
		loadInterpreter();
	}

	connect(wiring: VcpuWiring): void {
		this.#wiring = wiring;
	}

	clearKick(): void {
		Atomics.and(this.#words, requestWord, ~Request.KICK);
	}

	run(): ExitKind {
		const {processor, apic} = this;
		let [hasRun, isKicked] = [false, false];
		for (;;) {
			const requests = Atomics.and(this.#words, requestWord, ~(Request.KICK | Request.APIC | Request.UNHALT));
			if ((requests & Request.UNHALT) !== 0) this.isUnhalted = true;
			if (isKicked) return 'interrupted';
			isKicked = (requests & Request.KICK) !== 0;
			if (isKicked && (!hasRun || this.activity !== 'running' || processor.debug.isStepping)) return 'interrupted';
			apic.expire();
			this.kvm.remind();
			this.#takeRequests();
			if (this.activity !== 'running') {
				this.#wait();
				continue;
			}
			// Steps are those of the code that is stepped through.
			const {isStepping} = processor.debug;
			if (!isStepping && !this.#deliver()) return 'shutdown';
			if (this.#wantsWindow && this.readyForInterrupt) return 'interrupted';
			processor.windowWanted =
				!isStepping && (apic.pending() !== undefined || (this.#wantsWindow && apic.acceptsExternal));
			const stop = isKicked ? processor.interpret(Math.floor(Math.random() * mostDrift)) : processor.run(budget);
			hasRun = true;
			if (stop === 'shutdown' || stop === 'debug') return stop;
			if (stop === 'halted' && !isKicked) this.#halt();
		}
	}

	/** Everything is served already. */
	serve(): void {}

	completeExit(): ExitKind {
		return 'interrupted';
	}

	failure(): ErrorData {
		throw new TypeError('the software processor does not fail');
	}

	readGeneral(): GeneralRegisters {
		return readGeneral(this.processor.core.state);
	}

	writeGeneral(registers: GeneralRegisters): void {
		writeGeneral(this.processor.core.state, registers);
		this.processor.changed();
	}

	readSpecial(): SpecialRegisters {
		return readSpecial(this.processor.core.state, this.apic);
	}

	writeSpecial(registers: SpecialRegisters): void {
		writeSpecial(this.processor.core.state, registers);
		this.apic.cr8 = Number(registers.cr8 & 15n);
		this.processor.changed();
	}

	get readyForInterrupt(): boolean {
		const {canInterrupt, debug} = this.processor;
		return this.activity === 'running' && canInterrupt && !debug.isStepping && this.apic.acceptsExternal;
	}

	requestInterruptWindow(wanted: boolean): void {
		this.#wantsWindow = wanted;
	}

	interrupt(vector: number): void {
		// A triple fault shows again at the next instruction, which is none.
		this.#interrupt(vector);
	}

	nmi(): void {
		this.#nmiIsPending = true;
	}

	details(): Readonly<Record<string, unknown>> {
		return {
			activity: this.#activityName,
			cpuid: describeCpuid(this.#answers),
			localApic: {base: this.apic.base, pending: this.apic.pending() ?? 'none'},
		};
	}

	place(): ProcessorPlace {
		const {executed, isHalted} = this.processor;
		return {...(executed !== undefined && {executed}), isWaiting: isHalted || this.activity !== 'running'};
	}

	debug(plan: DebugPlan | undefined): void {
		this.processor.debug.plan = plan;
	}

	takeDebugExit(): DebugStop | undefined {
		const {debug} = this.processor;
		const {stop} = debug;
		debug.stop = undefined;
		return stop;
	}

	readRegisters(): ProcessorRegisters {
		const {vector, msrs} = saveState(this, this.#answers);
		return {
			general: this.readGeneral(),
			special: this.readSpecial(),
			fxsave: vector.image.slice(0, 512),
			ymmHigh: readUpperHalves(this.processor.core),
			kernelGsBase: msrs.get(0xc000_0102) ?? 0n,
			activity: this.activity !== 'running' ? 'waiting for start-up' : this.processor.isHalted ? 'halted' : 'running',
		};
	}

	writeRegisters({general, special, fxsave, ymmHigh, kernelGsBase}: RegisterChanges): void {
		const {processor} = this;
		if (special !== undefined) this.writeSpecial(special);
		if (general !== undefined) this.writeGeneral(general);
		const upper = ymmHigh ?? readUpperHalves(processor.core);
		if (fxsave !== undefined) takeImage(processor.core, fxsave, Component.x87 | Component.sse);
		writeUpperHalves(processor.core, upper);
		if (kernelGsBase !== undefined) processor.msrs.write(Msr.IA32_KERNEL_GS_BASE, kernelGsBase);
	}

	reset(): void {
		this.processor.reset(this.#cpuid.signature, false);
		this.apic.reset();
		this.kvm.reset();
		this.#nmiIsPending = false;
		Atomics.and(this.#words, requestWord, ~Request.UNHALT);
		this.isUnhalted = false;
		this.activity = this.#handle.index === 0 ? 'running' : 'waiting for INIT';
		this.#followApic();
	}

	readCounter(): CounterReading {
		return {value: this.counter.counter(), khz: this.counter.khz};
	}

	resume({counter, shift, caughtUpNs}: Resumption, _memory: GuestMemory): bigint {
		const change = shift ?? BigInt.asIntN(64, counter - this.counter.counter());
		this.counter.move(change);
		// A guest's scheduler would take the task that happened to run for one that has run all that time.
		this.kvm.steal.add(BigInt(Math.round(caughtUpNs)));
		this.kvm.update(true);
		return change;
	}

	save(counter?: bigint): VcpuState {
		this.#takeRequests();
		// Who waits for it with interrupts off, as those do that wait for a lock, has nothing else to go on by.
		if ((Atomics.and(this.#words, requestWord, ~Request.UNHALT) & Request.UNHALT) !== 0) this.isUnhalted = true;
		this.#unhalt();
		return saveState(this, this.#answers, counter);
	}

	restore(state: VcpuState, counterShift?: bigint): bigint {
		const missing = missingNeeds(needsOf(state.cpuid), this.#answers);
		if (missing.length > 0) throw vcpuError('VCPU_NEEDS_MISSING', {missing});
		this.#answers = state.cpuid;
		this.#cpuid = new CpuidTable(state.cpuid);
		this.processor.features.changed();
		this.reset();
		const change = restoreState(this, state, counterShift);
		this.#followApic();
		return change;
	}

	close(): void {
		this.#port?.close();
		closeRunDelay();
	}

	/** The channel to the partition, which most processors that stop soon never need. */
	#open(): MessagePort {
		this.#port ??= this.#wiring.connect() as MessagePort;
		return this.#port;
	}

	get nmiIsPending(): boolean {
		return this.#nmiIsPending;
	}

	get #activityName(): string {
		if (this.activity === 'waiting for INIT') return 'uninitialized';
		if (this.activity === 'waiting for start-up') return 'init received';
		return this.processor.isHalted ? 'halted' : 'runnable';
	}

	/** Interrupts that can be delivered are. @returns false after a triple fault */
	#deliver(): boolean {
		const {processor, apic} = this;
		const isFree = !processor.isShadowed && !processor.debug.isPending;
		if (this.#nmiIsPending && !processor.interrupts.isNmiBlocked && isFree) {
			this.#nmiIsPending = false;
			if (!processor.nmi()) return false;
		}
		if (!processor.canInterrupt) return true;
		const vector = apic.accept();
		return vector === undefined || this.#interrupt(vector);
	}

	/** Enters the handler of an interrupt. It may be that of a timer, where guests look at the time that has been stolen. */
	#interrupt(vector: number): boolean {
		this.kvm.steal.account();
		return this.processor.interrupt(vector);
	}

	/** INIT, start-up and NMI, which other processors and devices send. */
	#takeRequests(): void {
		const requests = this.apic.takeRequests();
		if (requests === undefined) return;
		if (requests.init) {
			this.processor.reset(this.#cpuid.signature, true);
			this.apic.init();
			this.activity = this.apic.isBoot ? 'running' : 'waiting for start-up';
		}
		if (requests.startup !== undefined && this.activity === 'waiting for start-up') {
			this.processor.startAt(requests.startup);
			this.activity = 'running';
		}
		if (requests.nmi) this.#nmiIsPending = true;
	}

	#halt(): void {
		if (this.#unhalt()) return;
		if (this.#nmiIsPending && !this.processor.interrupts.isNmiBlocked) return;
		if (this.processor.canInterrupt && this.apic.pending() !== undefined) return;
		if (this.#wantsWindow && this.readyForInterrupt) return;
		this.#wait();
	}

	/** Another processor's kick ends HLT. @returns whether one did */
	#unhalt(): boolean {
		if (!this.isUnhalted || !this.processor.isHalted) return false;
		this.isUnhalted = false;
		this.processor.isHalted = false;
		return true;
	}

	/** Waits for a request, or the timer. */
	#wait(): void {
		// What is left of requests would end the wait at once.
		this.processor.attend();
		const next = this.apic.nextEvent;
		const left = next === undefined ? maxWaitMs : Number(next - this.counter.now()) / nsPerMs;
		if (left > 0) Atomics.wait(this.#words, requestWord, 0, Math.min(left, maxWaitMs));
	}

	#outside(): Outside {
		return {
			readPort: (port, bytes) => {
				const began = this.#wiring.began();
				const value = this.#wiring.bus.readPort(port, bytes);
				this.#served('port', began);
				return value;
			},
			writePort: (port, bytes, value) => {
				const began = this.#wiring.began();
				this.#wiring.bus.writePort(port, bytes, value);
				this.#served('port', began);
			},
			cpuid: (leaf, subleaf) => this.#cpuid.answer(leaf, subleaf),
			counter: () => this.counter.counter(),
			moveCounter: (by) => {
				this.counter.move(by);
				this.kvm.update(false);
				this.#lookAgain();
			},
			random: randomNumbers(),
			readMsr: (index) => this.#readMsr(index),
			writeMsr: (index, value) => this.#writeMsr(index, value),
			hypercall: (number, values, bits) => hypercall(this.#apics, this.#alert, number, values, bits),
			readPriority: () => this.apic.cr8,
			writePriority: (value) => {
				this.apic.cr8 = value;
				this.#lookAgain();
			},
		};
	}

	#readMsr(index: number): bigint | undefined {
		if (isApicMsr(index)) return this.apic.readMsr(index);
		const own = this.kvm.read(index);
		if (own !== undefined) return own;
		const value = this.#value;
		value.low = 0;
		value.high = 0;
		const began = this.#wiring.began();
		const isThere = this.#wiring.msrs.read(index, value);
		this.#served('msr', began);
		return isThere ? (BigInt(value.high >>> 0) << 32n) | BigInt(value.low >>> 0) : undefined;
	}

	#writeMsr(index: number, data: bigint): boolean {
		if (isApicMsr(index)) {
			const isTaken = this.apic.writeMsr(index, data);
			this.#followApic();
			this.#lookAgain();
			return isTaken;
		}
		if (this.kvm.write(index, data)) return true;
		const value = this.#value;
		value.low = Number(data & 0xffff_ffffn);
		value.high = Number(data >> 32n);
		const began = this.#wiring.began();
		const isTaken = this.#wiring.msrs.write(index, value);
		this.#served('msr', began);
		return isTaken;
	}

	#readMemory(gpa: number, bytes: 1 | 2 | 4): number {
		const at = gpa - this.#apicPage;
		if (at >= 0 && at < 4096) return this.apic.readPage(at, bytes);
		const began = this.#wiring.began();
		const value = this.#wiring.bus.readMmio(gpa, bytes);
		this.#served('mmio', began);
		return value;
	}

	#writeMemory(gpa: number, bytes: 1 | 2 | 4, value: number): void {
		const at = gpa - this.#apicPage;
		if (at >= 0 && at < 4096) {
			this.apic.writePage(at, bytes, value);
			this.#lookAgain();
			return;
		}
		const began = this.#wiring.began();
		this.#wiring.bus.writeMmio(gpa, bytes, value);
		this.#served('mmio', began);
	}

	/** Counts an access, and ends the run where the loop is to look. */
	#served(kind: 'port' | 'mmio' | 'msr', began: number): void {
		if (this.#wiring.served(kind, began)) Atomics.or(this.#words, requestWord, Request.KICK);
	}

	/** The local APIC's page may have moved. */
	#followApic(): void {
		this.#apicPage = this.apic.page ?? Number.NaN;
	}

	/** What the guest has told its local APIC may let an interrupt in. */
	#lookAgain(): void {
		if (this.apic.pending() !== undefined || this.apic.nextEvent !== undefined)
			Atomics.or(this.#words, requestWord, Request.APIC);
	}
}
