import {halt} from '#test/tmk';
import {type GuestOptions, type GuestProcessor, startKernel} from './guest-processor.ts';

/** Where code of these tests, their stack and their descriptor table are. */
export const codeAt = 0x1_0000;
export const stackTop = 0x9000;
export const gdtAt = 0x1000;
/** Selectors of the flat code and data of privilege 0; further descriptors follow from 18h on. */
export const kernelCode = 8;
export const kernelData = 0x10;
/** PE, ET. */
const cr0 = 0x11n;

/** An exception as the processor raised it. */
export interface RaisedFault {
	readonly vector: number;
	readonly errorCode: number | undefined;
	readonly rip: bigint;
}

/** A processor in protected mode without paging, at privilege 0, which ends with its first exception. */
export interface LegacyMachine extends GuestProcessor {
	readonly faults: readonly RaisedFault[];
	/** Runs to HLT or to an exception, which it gives. */
	run(): RaisedFault | 'halted';
}

export interface LegacyOptions extends GuestOptions {
	readonly codeSize?: 16 | 32;
	/** Descriptors from selector 18h on. */
	readonly descriptors?: readonly bigint[];
}

/** A descriptor of code, data or the system: type is the byte with P, DPL and S, `flags` G, D, L. */
export function descriptor(base: number, limit: number, type: number, flags = 0): bigint {
	const low = (limit & 0xffff) | ((base & 0xffff) << 16);
	const high = ((base >>> 16) & 0xff) | (type << 8) | (limit & 0xf_0000) | (flags << 20) | (base & 0xff00_0000);
	return BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n);
}

/** A gate: type is the byte with P, DPL and S; `count` of parameters. */
export const gate = (selector: number, offset: number, type: number, count = 0): bigint =>
	BigInt(((offset & 0xffff) | (selector << 16)) >>> 0) |
	(BigInt(((offset & 0xffff_0000) | (type << 8) | count) >>> 0) << 32n);

/** Loads TR, with a selector that the table need not have. */
export function setTask(
	machine: LegacyMachine,
	base: number,
	limit: number,
	attributes: number,
	selector = 0x50,
): void {
	Object.assign(machine.processor.core.state.segments[7] ?? {}, {selector, base: BigInt(base), limit, attributes});
}

/** Puts code in memory and a processor at it. */
export function startLegacy(code: readonly number[], options: LegacyOptions = {}): LegacyMachine {
	const {codeSize = 32, descriptors = []} = options;
	const guest = startKernel(halt(), options);
	const {core, interrupts} = guest.processor;
	const {state} = core;
	guest.ram.set(code, codeAt);
	const big = codeSize === 32 ? 0xc : 8;
	const table = [0n, descriptor(0, 0xf_ffff, 0x9b, big), descriptor(0, 0xf_ffff, 0x93, 0xc), ...descriptors];
	new BigUint64Array(guest.ram.buffer, gdtAt, table.length).set(table);
	Object.assign(state, {cr0, cr4: 0n, efer: 0n, rip: BigInt(codeAt)});
	Object.assign(state.gdtr, {base: BigInt(gdtAt), limit: table.length * 8 - 1});
	const flat = {base: 0n, limit: 0xffff_ffff};
	for (const [index, segment] of state.segments.entries()) {
		if (index === 1) Object.assign(segment, flat, {selector: kernelCode, attributes: (big << 12) | 0x9b});
		else if (index < 6) Object.assign(segment, flat, {selector: kernelData, attributes: 0xc093});
		else Object.assign(segment, {base: 0n, limit: 0, attributes: 0, selector: 0});
	}
	state.general[4] = BigInt(stackTop);
	guest.processor.changed();
	const faults: RaisedFault[] = [];
	interrupts.raise = ({vector, errorCode}) => {
		faults.push({vector, errorCode, rip: state.rip});
		return false;
	};
	const run = () => {
		const stop = guest.processor.run(1000);
		const last = faults.at(-1);
		if (stop === 'shutdown' && last !== undefined) return last;
		if (stop !== 'halted') throw new Error(`the code ended by ${stop}`);
		return stop;
	};
	return Object.assign(guest, {faults, run});
}
