import {resetMsrTable} from '#vcpu-worker/msr-policy';
import {Feature} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import {isCanonicalAddress} from '#vcpu-worker/software/mmu';
import {Cr0, Cr4, Efer} from './control-state.ts';
import type {Features} from './features.ts';
import {type MsrRule, msrRules} from './msr-table.ts';
import type {Outside} from './outside.ts';

/** Model-specific registers that instructions use (SDM volume 4, table 2-2; EFER and those of SYSCALL: APM volume 2, appendix A). */
export const Msr = {
	TSC: 0x10,
	TSC_ADJUST: 0x3b,
	SYSENTER_CS: 0x174,
	SYSENTER_ESP: 0x175,
	SYSENTER_EIP: 0x176,
	XSS: 0xda0,
	EFER: 0xc000_0080,
	STAR: 0xc000_0081,
	LSTAR: 0xc000_0082,
	CSTAR: 0xc000_0083,
	FMASK: 0xc000_0084,
	FS_BASE: 0xc000_0100,
	GS_BASE: 0xc000_0101,
	KERNEL_GS_BASE: 0xc000_0102,
	TSC_AUX: 0xc000_0103,
} as const;

/** Those that generated code finds in the processor's state. */
const inState = {
	[Msr.STAR]: 'star',
	[Msr.LSTAR]: 'lstar',
	[Msr.FMASK]: 'fmask',
	[Msr.KERNEL_GS_BASE]: 'kernelGsBase',
} as const;
const segments: Readonly<Record<number, number>> = {[Msr.FS_BASE]: 4, [Msr.GS_BASE]: 5};
/** Bits of EFER and the features that they come with; LMA follows from others. */
const eferFeatures = [
	[Efer.SCE, Feature.syscall],
	[Efer.LME, Feature.longMode],
	[Efer.NXE, Feature.nx],
] as const;
/** Types of memory: uncached, write combining, write through, write protected, write back; the PAT has uncached minus too. */
const mtrrTypes: readonly number[] = [0, 1, 4, 5, 6];
const patTypes: readonly number[] = [...mtrrTypes, 7];

/** Values after power-on that are not 0. */
const powerOnValues: ReadonlyMap<number, bigint> = new Map(resetMsrTable.map(({index, value}) => [index, value]));

/** Those that hold a value after power-on, and those that do somewhere else than here. */
const initialValues: readonly (readonly [index: number, value: bigint])[] = [...msrRules]
	.filter(([, {isReadOnly}]) => isReadOnly !== true)
	.map(([index]) => [index, powerOnValues.get(index) ?? 0n] as const)
	.filter(([index, value]) => value !== 0n || index in inState);

/** The model-specific registers that the processor has itself. */
export class ModelRegisters {
	readonly #core: Core;
	readonly #features: Features;
	readonly #outside: Outside;
	readonly #values = new Map<number, bigint>();

	constructor(core: Core, features: Features, outside: Outside) {
		this.#core = core;
		this.#features = features;
		this.#outside = outside;
	}

	/** Gives those that hold a value the one after power-on. Before anything else. */
	reset(): void {
		this.#values.clear();
		for (const [index, value] of initialValues) this.#set(index, value);
	}

	/** Those that hold another value than after power-on, by index. */
	changed(): [number, bigint][] {
		const all = [...msrRules.keys()].map((index): [number, bigint] => [index, this.get(index)]);
		return all.filter(([index, value]) => value !== (powerOnValues.get(index) ?? 0n));
	}

	/** A register that holds a value. */
	get(index: number): bigint {
		const name = inState[index as keyof typeof inState];
		return name === undefined ? (this.#values.get(index) ?? 0n) : this.#core.state[name];
	}

	#set(index: number, value: bigint): void {
		const name = inState[index as keyof typeof inState];
		if (name === undefined) this.#values.set(index, value);
		else this.#core.state[name] = value;
	}

	/** Undefined: it is none of these. */
	read(index: number): bigint | undefined {
		const {state} = this.#core;
		if (index === Msr.EFER) return state.efer;
		if (index === Msr.TSC) return this.#outside.counter();
		const segment = segments[index];
		if (segment !== undefined) return state.segments[segment]?.base;
		const rule = this.#ruleOf(index);
		return rule === undefined ? undefined : rule.isReadOnly === true ? (rule.initial ?? 0n) : this.get(index);
	}

	/** Undefined: it is none of these; false: it cannot have this value. */
	write(index: number, value: bigint): boolean | undefined {
		if (index === Msr.EFER) return this.#writeEfer(value);
		if (index === Msr.TSC) {
			this.#moveCounter(value - this.#outside.counter());
			return true;
		}
		const segment = segments[index];
		if (segment !== undefined) {
			if (!this.#isCanonical(value)) return false;
			Object.assign(this.#core.state.segments[segment] ?? {}, {base: value});
			return true;
		}
		const rule = this.#ruleOf(index);
		if (rule === undefined) return undefined;
		if (!this.#isAllowed(rule, value)) return false;
		const {kept = 0n} = rule;
		if (index === Msr.TSC_ADJUST) this.#moveCounter(value - this.get(index));
		else this.#set(index, (value & ~kept) | (this.get(index) & kept));
		return true;
	}

	/**
	 * Takes a register of a snapshot, in which the time-stamp counter is apart.
	 * @returns what {@link write} does
	 */
	restore(index: number, value: bigint): boolean | undefined {
		if (index !== Msr.TSC_ADJUST && index !== Msr.TSC) return this.write(index, value);
		if (index === Msr.TSC_ADJUST) this.#values.set(index, value);
		return true;
	}

	/** A write to the counter shows in what it was adjusted by, and the other way round (SDM volume 3, 18.17.3). */
	#moveCounter(by: bigint): void {
		this.#outside.moveCounter(BigInt.asIntN(64, by));
		this.#values.set(Msr.TSC_ADJUST, BigInt.asUintN(64, this.get(Msr.TSC_ADJUST) + by));
	}

	#writeEfer(value: bigint): boolean {
		const {state} = this.#core;
		const lma = BigInt(Efer.LMA);
		let rest = value & ~lma;
		for (const [bit, feature] of eferFeatures) if (this.#features.has(feature)) rest &= ~BigInt(bit);
		if (rest !== 0n) return false;
		// Long mode is not left or entered while paging is on (SDM volume 3, 4.1.1).
		const isPaged = Number(state.cr0) >= Cr0.PG;
		if (isPaged && ((value ^ state.efer) & BigInt(Efer.LME)) !== 0n) return false;
		state.efer = (value & ~lma) | (state.efer & lma);
		return true;
	}

	/** The rule of a register that there is, by what CPUID announces. */
	#ruleOf(index: number): MsrRule | undefined {
		const rule = msrRules.get(index);
		const isThere = rule?.features?.some((feature) => this.#features.has(feature)) ?? true;
		return isThere ? rule : undefined;
	}

	#isAllowed(rule: MsrRule, value: bigint): boolean {
		const {mask, kept = 0n, isAddress, isReadOnly} = rule;
		if (isReadOnly === true || (mask !== undefined && (value & ~(mask | kept)) !== 0n)) return false;
		if (isAddress === true && !this.#isCanonical(value)) return false;
		if (rule.hasType === true && !mtrrTypes.includes(Number(value & 0xffn))) return false;
		return (
			(rule.hasTypes !== true || hasOnly(value, mtrrTypes)) && (rule.hasPatTypes !== true || hasOnly(value, patTypes))
		);
	}

	#isCanonical(value: bigint): boolean {
		const levels = (Number(this.#core.state.cr4) & Cr4.LA57) === 0 ? 4 : 5;
		return isCanonicalAddress(value, levels);
	}
}

/** True where all eight bytes are types of memory that there are. */
function hasOnly(value: bigint, types: readonly number[]): boolean {
	for (let at = 0n; at < 64n; at += 8n) if (!types.includes(Number((value >> at) & 0xffn))) return false;
	return true;
}
