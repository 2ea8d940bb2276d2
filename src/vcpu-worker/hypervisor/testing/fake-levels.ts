import type {AccessSize} from '#devices/device';
import {
	type Intercept,
	type LevelChanges,
	type LevelRegisters,
	ownRegisterNames,
	PageRights,
	type TrustLevels,
	type Vtl,
} from '#devices/processor';
import {sampleRegisters} from '#vcpu-worker/registers/testing';
import type {VcpuLevels} from '#vcpu-worker/state';
import {sampleState} from '#vcpu-worker/state/testing';
import type {ExitStep} from './guest-script.ts';
import type {PageGuards} from './page-guards.ts';

type Registers = Pick<LevelRegisters, 'general' | 'special'>;
type Msrs = LevelRegisters['msrs'];

/** A processor's registers, which are those of the level that runs. */
export interface RunningRegisters {
	read(): Registers;
	write(registers: Registers): void;
}

/** Trust levels of a fake processor: what those that do not run have for themselves, and the change from one to another. */
export class FakeLevels implements TrustLevels {
	readonly #guards: PageGuards;
	readonly #cpu: RunningRegisters;
	readonly #resting = new Map<Vtl, Registers>();
	readonly #msrs = new Map<Vtl, Msrs>();
	#current: Vtl = 0;
	#next: Vtl | undefined;

	constructor(guards: PageGuards, cpu: RunningRegisters) {
		this.#guards = guards;
		this.#cpu = cpu;
	}

	get highest(): Vtl {
		return this.#guards.highestVtl;
	}

	get current(): Vtl {
		return this.#current;
	}

	registers(vtl: Vtl): LevelRegisters {
		const [running, msrs] = [this.#cpu.read(), this.#msrs.get(vtl) ?? new Map()];
		if (vtl === this.#current) return {...running, msrs};
		return {...shared(running, this.#resting.get(vtl) ?? sampleRegisters({})), msrs};
	}

	setRegisters(vtl: Vtl, {general, special, msrs = new Map()}: LevelChanges): void {
		const {general: oldGeneral, special: oldSpecial, msrs: oldMsrs} = this.registers(vtl);
		const after = {general: {...oldGeneral, ...general}, special: {...oldSpecial, ...special}};
		this.#msrs.set(vtl, new Map([...oldMsrs, ...msrs]));
		if (vtl !== this.#current) this.#resting.set(vtl, after);
		this.#cpu.write(vtl === this.#current ? after : shared(after, this.#cpu.read()));
	}

	enter(vtl: Vtl): void {
		this.#next = vtl;
	}

	protect(guard: Vtl, gpa: number, length: number, rights: number): boolean {
		return this.#guards.protect(guard, gpa, length, rights);
	}

	/** The exit of an access that the level which runs may not make. */
	intercepted(gpa: number, size: AccessSize, access: 'read' | 'write'): ExitStep | undefined {
		const vtl = this.#current;
		const guard = this.#guards.guardOf(vtl, gpa, size, access === 'write' ? PageRights.WRITE : PageRights.READ);
		if (guard === undefined) return undefined;
		const intercept: Intercept = {vtl, guard, gpa, access};
		return {
			exit: 'intercept',
			repeats: true,
			serve({hypercalls}) {
				if (hypercalls.intercept(intercept)) return 0;
				throw new TypeError(`no device answers for trust level ${guard}, which forbids an access`);
			},
		};
	}

	/** The exit is complete: goes on at the level that is to be entered. */
	settle(): void {
		const next = this.#next ?? this.#current;
		this.#next = undefined;
		if (next === this.#current) return;
		const registers = this.registers(next);
		this.#resting.set(this.#current, this.#cpu.read());
		this.#current = next;
		this.#cpu.write(registers);
	}

	reset(): void {
		this.#resting.clear();
		this.#msrs.clear();
		this.#current = 0;
		this.#next = undefined;
	}

	save(): VcpuLevels | undefined {
		if (this.#resting.size === 0) return undefined;
		const others = [...this.#resting.keys()].filter((vtl) => vtl !== this.#current);
		return {current: this.#current, others: others.map((vtl) => savedLevel(vtl, this.registers(vtl)))};
	}

	/** @param msrs - of the level that runs */
	restore({current, others}: VcpuLevels, msrs: Msrs): void {
		this.#current = current as Vtl;
		this.#msrs.set(this.#current, msrs);
		for (const {vtl, general, special, msrs: own} of others) {
			this.#resting.set(vtl as Vtl, sampleRegisters({general, special}));
			this.#msrs.set(vtl as Vtl, own);
		}
	}
}

/** The registers of `own`, but for those that all levels share. */
function shared({general, special}: Registers, own: Registers): Registers {
	const mine = Object.fromEntries(ownRegisterNames.map((name) => [name, own.general[name]]));
	return {general: {...general, ...mine}, special: {...own.special, cr2: special.cr2}};
}

function savedLevel(vtl: Vtl, registers: LevelRegisters): VcpuLevels['others'][number] {
	const {rip, rsp, rflags} = registers.general;
	const {special, debug, apic, events, activity} = sampleState(sampleRegisters(registers));
	const {msrs} = registers;
	return {vtl, general: {rip, rsp, rflags}, special, dr7: debug.dr7, msrs, apic, events, activity};
}
