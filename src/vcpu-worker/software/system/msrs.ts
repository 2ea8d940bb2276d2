import type {Core} from '#vcpu-worker/software/interpreter';
import {isCanonical} from '#vcpu-worker/software/mmu';
import {Efer} from './control-state.ts';

/** Model-specific registers (SDM volume 4, table 2-2; EFER and those of SYSCALL: APM volume 2, appendix A). */
export const Msr = {
	TSC: 0x10,
	SYSENTER_CS: 0x174,
	SYSENTER_ESP: 0x175,
	SYSENTER_EIP: 0x176,
	PAT: 0x277,
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

/** Registers that only hold a value, and whether it is an address; with their value after reset. */
const plain: Readonly<Record<number, {readonly isAddress: boolean; readonly initial?: bigint}>> = {
	[Msr.SYSENTER_CS]: {isAddress: false},
	[Msr.SYSENTER_ESP]: {isAddress: true},
	[Msr.SYSENTER_EIP]: {isAddress: true},
	// Write back, write through, uncached minus, uncached, twice (SDM volume 3, table 11-12).
	[Msr.PAT]: {isAddress: false, initial: 0x0007_0406_0007_0406n},
	[Msr.STAR]: {isAddress: false},
	[Msr.LSTAR]: {isAddress: true},
	[Msr.CSTAR]: {isAddress: true},
	[Msr.FMASK]: {isAddress: false},
	[Msr.KERNEL_GS_BASE]: {isAddress: true},
	[Msr.TSC_AUX]: {isAddress: false},
};
const FS = 4;
const GS = 5;
const eferBits = Efer.SCE | Efer.LME | Efer.NXE;

/** The model-specific registers that the processor has itself. */
export class ModelRegisters {
	readonly #core: Core;
	readonly #values = new Map<number, bigint>();

	constructor(core: Core) {
		this.#core = core;
		this.reset();
	}

	/** Gives those that hold a value the one after power-on. */
	reset(): void {
		for (const [index, {initial = 0n}] of Object.entries(plain)) this.#values.set(Number(index), initial);
	}

	/** Those that hold a value, by index. */
	get values(): ReadonlyMap<number, bigint> {
		return this.#values;
	}

	/** A register that holds a value. */
	get(index: number): bigint {
		return this.#values.get(index) ?? 0n;
	}

	/** Undefined: it is none of these. */
	read(index: number): bigint | undefined {
		const {state} = this.#core;
		if (index === Msr.EFER) return state.efer;
		if (index === Msr.FS_BASE) return state.segments[FS]?.base;
		if (index === Msr.GS_BASE) return state.segments[GS]?.base;
		return this.#values.get(index);
	}

	/** Undefined: it is none of these; false: it cannot have this value. */
	write(index: number, value: bigint): boolean | undefined {
		const {state} = this.#core;
		if (index === Msr.EFER) {
			const isPaged = state.cr0 >> 31n !== 0n;
			const bits = Number(value & ~BigInt(Efer.LMA));
			if (value >> 32n !== 0n || (bits & ~eferBits) !== 0) return false;
			// Long mode is not left or entered while paging is on (SDM volume 3, 4.1.1).
			if (isPaged && ((bits ^ Number(state.efer)) & Efer.LME) !== 0) return false;
			state.efer = BigInt(bits) | (state.efer & BigInt(Efer.LMA));
			return true;
		}
		const segment = {[Msr.FS_BASE]: FS, [Msr.GS_BASE]: GS}[index];
		const rule = plain[index];
		if (segment === undefined && rule === undefined) return undefined;
		if ((segment !== undefined || rule?.isAddress) && !isCanonical(Number(BigInt.asIntN(32, value >> 32n)), 4))
			return false;
		if (index === Msr.PAT && !isPat(value)) return false;
		if (segment === undefined) this.#values.set(index, value);
		else {
			const register = state.segments[segment];
			if (register !== undefined) register.base = value;
		}
		return true;
	}
}

/** True where all eight bytes are types of memory: of 0 to 7 there are no 2 and 3 (SDM volume 3, table 11-10). */
function isPat(value: bigint): boolean {
	for (let rest = value; rest !== 0n; rest >>= 8n) {
		const type = Number(rest & 0xffn);
		if (type > 7 || type === 2 || type === 3) return false;
	}
	return true;
}
