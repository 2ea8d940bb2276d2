import {Feature, type Instruction} from '#vcpu-worker/software/decode';
import {Component, fxAreaBytes, xsaveAreaBytes} from '#vcpu-worker/software/state';
import {Cr0, Cr4, codeSizeOf, privilegeOf, requirePrivilege} from './control-state.ts';
import {FxPlace, initialMxcsr, mxcsrMask, mxcsrOf, readFxArea, writeFxArea} from './fx-area.ts';
import {general, low32, pair, Register, setPair} from './general-registers.ts';
import {GuestFault, generalProtection, invalidOpcode, Vector} from './guest-fault.ts';
import {addressOf, operandFault, type SegmentAccess} from './operands.ts';
import type {After, Parts} from './parts.ts';
import {completeArea, inUse, isXcr0, XsaveHeader} from './xsave-area.ts';

/** Bit of XCOMP_BV. */
const compacted = 1n << 63n;

/** @throws GuestFault where the system has not enabled it */
function requireXsave({core}: Parts): void {
	if ((Number(core.state.cr4) & Cr4.OSXSAVE) === 0) throw invalidOpcode();
}

/** The same for one on an area. @throws GuestFault also where x87 and SSE are not to be used now */
function requireArea(parts: Parts, isPrivileged: boolean): void {
	requireXsave(parts);
	if ((Number(parts.core.state.cr0) & Cr0.TS) !== 0) throw new GuestFault(Vector.deviceNotAvailable);
	if (isPrivileged) requirePrivilege(parts.core);
}

/** Components that EDX:EAX asks for (RFBM); IA32_XSS has none. */
const requested = (parts: Parts): bigint => pair(parts) & parts.core.state.xcr0;
const has = (components: bigint, component: bigint): boolean => (components & component) !== 0n;
const xmmRegisters = ({codeSize}: Instruction): 8 | 16 => (codeSize === 64 ? 16 : 8);

/** Address of the operand, which is a multiple of 64. */
function area(parts: Parts, {operands: [operand], addressSize}: Instruction, access: SegmentAccess): bigint {
	const at = addressOf(parts, operand, addressSize, xsaveAreaBytes, access);
	if ((at & 63n) !== 0n) throw generalProtection();
	return at;
}

/** What tells the instructions that save from each other. */
interface Saving {
	/** Components in their initial state are left out. */
	readonly skipsInitial?: true;
	/** Its area has room for the components of XCOMP_BV alone, and MXCSR is one of SSE's registers. */
	readonly compacts?: true;
	readonly isPrivileged?: true;
}

/** Nobody keeps in mind what has been modified since it was restored: everything counts as modified (SDM volume 1, 13.6). */
function save(parts: Parts, instruction: Instruction, {skipsInitial, compacts}: Saving): After {
	const {core, mmu} = parts;
	const isUser = privilegeOf(core) === 3;
	const at = area(parts, instruction, 'write');
	const wanted = requested(parts);
	const registers = xmmRegisters(instruction);
	const hasMxcsr = compacts && core.state.mxcsr !== initialMxcsr;
	const used = wanted & (inUse(core, registers) | (hasMxcsr ? Component.sse : 0n));
	const saved = skipsInitial ? used : wanted;
	const bytes = new Uint8Array(fxAreaBytes);
	const [x87, sse] = [has(saved, Component.x87), has(wanted, Component.sse)];
	writeFxArea(core, bytes, {x87, sse, registers}, instruction.operandSize === 64);
	const header = at + BigInt(XsaveHeader.xstateBv);
	// It lies in two pages at most, of which the header is in the last.
	if (!mmu.canWrite(header, 1, isUser)) throw operandFault(parts, instruction.operands[0]);
	const write = (from: number, to: number) => {
		if (!mmu.writeBytes(at + BigInt(from), bytes.subarray(from, to), isUser))
			throw operandFault(parts, instruction.operands[0]);
	};
	const end = FxPlace.xmm + registers * 16;
	if (saved === Component.all) write(FxPlace.control, end);
	else {
		if (x87) write(FxPlace.control, FxPlace.mxcsr);
		if (has(saved, Component.sse) || (sse && !compacts)) write(FxPlace.mxcsr, FxPlace.x87);
		if (x87) write(FxPlace.x87, FxPlace.xmm);
		if (has(saved, Component.sse)) write(FxPlace.xmm, end);
	}
	const kept = compacts ? 0n : (mmu.readSystem(header, 8, isUser) ?? 0n) & ~wanted;
	mmu.writeSystem(header, 8, kept | used, isUser);
	if (compacts) mmu.writeSystem(at + BigInt(XsaveHeader.xcompBv), 8, compacted | wanted, isUser);
	return 'next';
}

/**
 * Tells whether a header may be restored from, in the standard form or the compacted one.
 * @param xcr0 - components that the system has enabled
 */
function isHeader(view: DataView, xcr0: bigint, isCompacted: boolean): boolean {
	const {xstateBv, xcompBv, reserved} = XsaveHeader;
	const [state, form] = [xstateBv, xcompBv].map((place) => view.getBigUint64(place, true)) as [bigint, bigint];
	if (!isCompacted) return (state & ~xcr0) === 0n && form === 0n && view.getBigUint64(reserved, true) === 0n;
	for (let place = reserved; place < xsaveAreaBytes; place += 8)
		if (view.getBigUint64(place, true) !== 0n) return false;
	return (form & ~compacted & ~xcr0) === 0n && (state & ~form) === 0n;
}

function restore(parts: Parts, instruction: Instruction, mustBeCompacted: boolean): After {
	const {core, mmu, features} = parts;
	const at = area(parts, instruction, 'read');
	const bytes = new Uint8Array(xsaveAreaBytes);
	const view = new DataView(bytes.buffer);
	const wanted = requested(parts);
	const first = wanted === 0n ? XsaveHeader.xstateBv : 0;
	if (!mmu.readBytes(at + BigInt(first), bytes.subarray(first), privilegeOf(core) === 3))
		throw operandFault(parts, instruction.operands[0]);
	const isCompacted = has(view.getBigUint64(XsaveHeader.xcompBv, true), compacted) && features.has(Feature.xsavec);
	if ((mustBeCompacted && !isCompacted) || !isHeader(view, core.state.xcr0, isCompacted)) throw generalProtection();
	completeArea(bytes, view.getBigUint64(XsaveHeader.xstateBv, true), !isCompacted);
	const sse = has(wanted, Component.sse);
	if (sse && (mxcsrOf(bytes) & ~mxcsrMask) !== 0) throw generalProtection();
	readFxArea(
		core,
		bytes,
		{x87: has(wanted, Component.x87), sse, registers: xmmRegisters(instruction)},
		instruction.operandSize === 64,
	);
	return 'next';
}

const saving =
	(how: Saving) =>
	(parts: Parts, instruction: Instruction): After => {
		requireArea(parts, how.isPrivileged === true);
		return save(parts, instruction, how);
	};

/** Instructions that save and restore state components, and those of the register that enables them (SDM volume 1, chapter 13). */
export const xsaveInstructions = {
	xgetbv: (parts: Parts): After => {
		requireXsave(parts);
		const {core, features} = parts;
		const index = low32(general(parts, Register.counter));
		if (index > (features.has(Feature.xgetbv1) ? 1 : 0)) throw generalProtection();
		const {xcr0, mxcsr} = core.state;
		// Other than for XSAVE MXCSR counts (13.6).
		const used = () => inUse(core, codeSizeOf(core) === 64 ? 16 : 8) | (mxcsr === initialMxcsr ? 0n : Component.sse);
		setPair(parts, index === 0 ? xcr0 : xcr0 & used());
		return 'next';
	},
	xsetbv: (parts: Parts): After => {
		requireXsave(parts);
		requirePrivilege(parts.core);
		const value = pair(parts);
		if (low32(general(parts, Register.counter)) !== 0 || !isXcr0(value)) throw generalProtection();
		parts.core.state.xcr0 = value;
		return 'next';
	},
	xsave: saving({}),
	xsaveopt: saving({skipsInitial: true}),
	xsavec: saving({skipsInitial: true, compacts: true}),
	xsaves: saving({skipsInitial: true, compacts: true, isPrivileged: true}),
	xrstor: (parts: Parts, instruction: Instruction): After => {
		requireArea(parts, false);
		return restore(parts, instruction, false);
	},
	xrstors: (parts: Parts, instruction: Instruction): After => {
		requireArea(parts, true);
		return restore(parts, instruction, true);
	},
};
