import {type DebugPlan, type DebugStop, debugRegisters, guestStatus, reportedBreakpoint} from '#vcpu-worker/debug';
import type {ExitReader} from './exits.ts';
import {type GuestDebug, setGuestDebug} from './guest-debug.ts';
import type {KvmVcpu} from './vcpu.ts';
import {getDebugRegisters, setDebugRegisters, translate} from './vcpu-state.ts';

const breakpointVector = 3;

/** A debugger's plan, carried out by KVM: what to ask for, and whose exception an exit reports. */
export class VcpuDebug {
	readonly #vcpu: KvmVcpu;
	readonly #exit: ExitReader;
	#plan: DebugPlan | undefined;
	#breakpoints = new Set<number>();
	#stops = new Set<bigint>();
	/** Where the run starts has still to be compared with the stops. */
	#atStart = false;
	#stopped = false;

	constructor(vcpu: KvmVcpu, exit: ExitReader) {
		this.#vcpu = vcpu;
		this.#exit = exit;
	}

	/** Takes the plan for the next run; undefined: for none. */
	begin(plan: DebugPlan | undefined): void {
		if (plan === undefined && this.#plan === undefined) return;
		this.#plan = plan;
		this.#breakpoints = new Set(plan?.breakpoints);
		this.#stops = new Set(plan?.stops);
		// A step leaves the address it starts at.
		this.#atStart = plan !== undefined && plan.step === false && this.#stops.size > 0;
		setGuestDebug(this.#vcpu.fd, plan && this.#wanted(plan));
	}

	/** True once, before the first instruction, when the plan has a stop there: {@link take} says so. */
	stopsHere(): boolean {
		if (!this.#atStart) return false;
		this.#atStart = false;
		this.#stopped = this.#stops.has(this.#linearRip());
		return this.#stopped;
	}

	/** See `CpuBackend.takeDebugExit`. */
	take(): DebugStop | undefined {
		if (this.#stopped) {
			this.#stopped = false;
			return {kind: 'breakpoint'};
		}
		if (this.#plan === undefined) return undefined;
		const {exception, pc, dr6: status} = this.#exit.debug();
		return exception === breakpointVector ? this.#breakpoint(pc) : this.#debugException(this.#plan, pc, status);
	}

	#breakpoint(pc: bigint): DebugStop | undefined {
		// By physical address: the debugger's INT3 may be reached through any mapping of its page.
		const address = translate(this.#vcpu.fd, pc);
		if (address !== undefined && this.#breakpoints.has(address)) return {kind: 'breakpoint'};
		this.#give('breakpoint');
		return undefined;
	}

	#debugException(plan: DebugPlan, pc: bigint, status: bigint): DebugStop | undefined {
		const index = reportedBreakpoint(status, plan.hardware.length);
		if (index !== undefined) return {kind: 'hardware', index};
		const {step} = plan;
		if (step !== false || this.#stops.size > 0) {
			if (this.#stops.has(pc)) return {kind: 'breakpoint'};
			const goesOn = step === false || (step !== true && pc >= step.start && pc < step.end);
			return goesOn ? undefined : {kind: 'step'};
		}
		const registers = getDebugRegisters(this.#vcpu.fd);
		setDebugRegisters(this.#vcpu.fd, {...registers, dr6: guestStatus(registers.dr6, status)});
		this.#give('debug');
		return undefined;
	}

	#give(inject: 'debug' | 'breakpoint'): void {
		if (this.#plan !== undefined) setGuestDebug(this.#vcpu.fd, {...this.#wanted(this.#plan), inject});
	}

	#wanted({step, breakpoints, hardware, stops}: DebugPlan): GuestDebug {
		return {
			singleStep: step !== false || stops.length > 0,
			blockInterrupts: step !== false,
			softwareBreakpoints: breakpoints.length > 0,
			...(hardware.length > 0 && {debugRegisters: debugRegisters(hardware)}),
		};
	}

	#linearRip(): bigint {
		const {rip} = this.#vcpu.getGeneral();
		const {cs} = this.#vcpu.getSpecial();
		return BigInt.asUintN(64, rip + (cs.l ? 0n : cs.base));
	}
}
