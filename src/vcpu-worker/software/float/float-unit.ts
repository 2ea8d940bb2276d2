import {CpuState} from '#vcpu-worker/software/state';
import type {Format} from './format.ts';
import {floatOperations} from './operations.ts';
import {type Environment, Exception} from './rounding.ts';

/** Bits of MXCSR (SDM volume 1, 10.2.3). */
const Mxcsr = {DAZ: 0x40, OM: 0x400, UM: 0x800, FTZ: 0x8000} as const;
const masksShift = 7;
const roundingShift = 13;
/** Exceptions that are found before a result is computed (SDM volume 1, 11.5.1). */
const beforehand = Exception.invalid | Exception.denormal | Exception.divideByZero;
/** Exception of floating point, which CR4.OSXMMEXCPT allows; else the instruction is undefined. */
const floatingPoint = 19;
const undefinedOpcode = 6;
const OSXMMEXCPT = 0x400n;

type Width = Format['width'];
const at = {operands: CpuState.offset('floatOperands'), result: CpuState.offset('floatResult')};

const environmentOf = (mxcsr: number): Environment => ({
	rounding: (mxcsr >> roundingShift) & 3,
	flushesToZero: (mxcsr & Mxcsr.FTZ) !== 0,
	denormalsAreZero: (mxcsr & Mxcsr.DAZ) !== 0,
	masksUnderflow: (mxcsr & Mxcsr.UM) !== 0,
	masksOverflow: (mxcsr & Mxcsr.OM) !== 0,
});

/** Computes what generated code leaves to exact arithmetic: NaNs, infinities, denormals, other roundings, and all that is an exception. */
export class FloatUnit {
	readonly #state: ReturnType<typeof CpuState.on>;
	readonly #view: DataView;

	/** @param memory - the processor's own */
	constructor(memory: SharedArrayBuffer) {
		this.#state = CpuState.on(memory);
		this.#view = new DataView(memory);
	}

	/**
	 * Carries out an operation on `floatOperands`: `floatResult`, and flags of MXCSR.
	 * @param constant - the instruction's immediate
	 * @returns the vector of the exception that the instruction has instead of a result, or 0
	 */
	compute(number: number, constant: number): number {
		const state = this.#state;
		const {count, bytes, from, to, compute} = floatOperations[number] as (typeof floatOperations)[number];
		const {mxcsr} = state;
		state.exactFloats++;
		const environment = environmentOf(mxcsr);
		let flags = 0;
		state.floatResult.fill(0n);
		for (let index = 0; index < count; index++) {
			const operand = (number: number) => this.#element(at.operands + bytes * number, from, index);
			const result = compute([operand(0), operand(1), operand(2)], environment, constant, index);
			flags |= result.flags;
			this.#setElement(at.result, to, index, result.bits);
		}
		const unmasked = ~(mxcsr >> masksShift);
		// Where one of these is no longer masked, nothing is computed that could have others.
		if ((flags & beforehand & unmasked) !== 0) flags &= beforehand;
		state.mxcsr = mxcsr | flags;
		if ((flags & unmasked) === 0) return 0;
		return (state.cr4 & OSXMMEXCPT) !== 0n ? floatingPoint : undefinedOpcode;
	}

	#element(place: number, width: Width, index: number): bigint {
		if (width === 64) return this.#view.getBigUint64(place + 8 * index, true);
		const view = this.#view;
		return BigInt(width === 32 ? view.getUint32(place + 4 * index, true) : view.getUint16(place + 2 * index, true));
	}

	#setElement(place: number, width: Width, index: number, bits: bigint): void {
		if (width === 64) this.#view.setBigUint64(place + 8 * index, bits, true);
		else if (width === 16) this.#view.setUint16(place + 2 * index, Number(bits), true);
		else this.#view.setUint32(place + 4 * index, Number(bits), true);
	}
}
