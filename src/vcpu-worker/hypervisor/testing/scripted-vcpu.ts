import type {ErrorData} from '#support/errors';
import type {CpuBackend, ExitKind, VcpuWiring} from '#vcpu-worker/hypervisor';
import type {GeneralRegisters, ProcessorRegisters, RegisterChanges, SpecialRegisters} from '#vcpu-worker/registers';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import type {VcpuState} from '#vcpu-worker/state';
import {sampleState} from '#vcpu-worker/state/testing';

/** What the guest does next: an exit, and the access that serving it makes. */
export interface ScriptStep {
	readonly exit: ExitKind;
	readonly access?: (wiring: VcpuWiring) => void;
}

/** A processor whose guest is a list of exits, and which parks at its end until it is kicked. It shares its thread. */
export class ScriptedVcpu implements CpuBackend {
	readonly #script: Iterator<ScriptStep>;
	#wiring: VcpuWiring;
	#access: ScriptStep['access'];
	#registers: ProcessorRegisters = sampleRegisters({});
	#isKicked = false;
	#wake: () => void = () => {};
	readonly readyForInterrupt = false;

	constructor(script: Iterable<ScriptStep>, wiring: VcpuWiring) {
		this.#script = script[Symbol.iterator]();
		this.#wiring = wiring;
	}

	/** The next run ends at once, or the park. */
	kick(): void {
		this.#isKicked = true;
		this.#wake();
	}

	connect(wiring: VcpuWiring): void {
		this.#wiring = wiring;
	}

	clearKick(): void {
		this.#isKicked = false;
	}

	run(): ExitKind {
		if (this.#isKicked) {
			this.#isKicked = false;
			return 'interrupted';
		}
		const next = this.#script.next();
		if (next.done === true) return 'parked';
		this.#access = next.value.access;
		return next.value.exit;
	}

	serve(): void {
		this.#access?.(this.#wiring);
	}

	kicked(): Promise<void> {
		if (this.#isKicked) return Promise.resolve();
		return new Promise((resolve) => {
			this.#wake = resolve;
		});
	}

	completeExit(): ExitKind {
		return 'interrupted';
	}

	failure(): ErrorData {
		return {code: 'SCRIPT_FAILED', message: 'The script says so', context: {}};
	}

	readGeneral(): GeneralRegisters {
		return this.#registers.general;
	}

	writeGeneral(general: GeneralRegisters): void {
		this.#registers = {...this.#registers, general};
	}

	readSpecial(): SpecialRegisters {
		return this.#registers.special;
	}

	writeSpecial(special: SpecialRegisters): void {
		this.#registers = {...this.#registers, special};
	}

	requestInterruptWindow(): void {}

	interrupt(): void {}

	nmi(): void {}

	details() {
		return {activity: this.#registers.activity};
	}

	debug(): void {}

	takeDebugExit(): undefined {
		return undefined;
	}

	readRegisters(): ProcessorRegisters {
		return this.#registers;
	}

	writeRegisters(changes: RegisterChanges): void {
		this.#registers = {...this.#registers, ...changes};
	}

	reset(): void {
		this.#registers = sampleRegisters({});
	}

	readCounter() {
		return {value: 0n, khz: 1_000_000};
	}

	resume(): bigint {
		return 0n;
	}

	save(counter = 0n): VcpuState {
		const state = sampleState(this.#registers);
		return {...state, clock: {...state.clock, counter}};
	}

	restore({general, special}: VcpuState): bigint {
		this.#registers = {...this.#registers, general, special};
		return 0n;
	}

	close(): void {}
}
