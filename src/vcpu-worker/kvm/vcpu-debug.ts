import {type DebugPlan, type DebugStop, debugRegisters, guestStatus, judgeException} from '#vcpu-worker/debug';
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
	/** The start of the run has still to be compared with the stops. */
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
		// A step leaves the address it starts at.
		this.#atStart = plan !== undefined && plan.step === false && plan.stops.length > 0;
		setGuestDebug(this.#vcpu.fd, plan && this.#wanted(plan));
	}

	/** True once, before the first instruction, when the plan has a stop there: {@link take} says so. */
	stopsHere(): boolean {
		if (!this.#atStart) return false;
		this.#atStart = false;
		this.#stopped = this.#plan?.stops.includes(this.#linearRip()) === true;
		return this.#stopped;
	}

	/** See `CpuBackend.takeDebugExit`. */
	take(): DebugStop | undefined {
		if (this.#stopped) {
			this.#stopped = false;
			return {kind: 'breakpoint'};
		}
		if (this.#plan === undefined) return undefined;
		const {exception: vector, pc, dr6} = this.#exit.debug();
		const isBreakpoint = vector === breakpointVector;
		const physical = isBreakpoint ? translate(this.#vcpu.fd, pc) : undefined;
		const stop = judgeException(this.#plan, {vector, pc, physical, dr6});
		if (typeof stop === 'object') return stop;
		if (stop === 'go on') {
			// KVM drops the trap flag behind an instruction that it has emulated.
			setGuestDebug(this.#vcpu.fd, this.#wanted(this.#plan));
			return undefined;
		}
		if (!isBreakpoint) {
			const registers = getDebugRegisters(this.#vcpu.fd);
			setDebugRegisters(this.#vcpu.fd, {...registers, dr6: guestStatus(registers.dr6, dr6)});
		}
		this.#give(isBreakpoint ? 'breakpoint' : 'debug');
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
