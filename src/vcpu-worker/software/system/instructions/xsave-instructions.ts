import {Feature, type Instruction} from '#vcpu-worker/software/decode';
import {Component, fxAreaBytes, xsaveAreaBytes, xsaveHeaderEnd, ymmArea} from '#vcpu-worker/software/state';
import {
	Cr0,
	Cr4,
	codeSizeOf,
	GuestFault,
	generalProtection,
	invalidOpcode,
	privilegeOf,
	requirePrivilege,
	Vector,
} from '#vcpu-worker/software/system/registers';
import {FxPlace, initialMxcsr, mxcsrMask, mxcsrOf, readFxArea, writeFxArea} from './fx-area.ts';
import {general, low32, pair, Register, setPair} from './general-registers.ts';
import {addressOf, operandFault, type SegmentAccess} from './operands.ts';
import type {After, Parts} from './parts.ts';
import {areaBytes, completeArea, inUse, isXcr0, XsaveHeader} from './xsave-area.ts';
import {readUpperHalves, writeUpperHalves} from './ymm-area.ts';

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
	const at = addressOf(parts, operand, addressSize, areaBytes(requested(parts)), access);
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
	// MXCSR goes with AVX too, where it is no register of SSE's (SDM volume 1, 13.7).
	const [x87, sse] = [has(saved, Component.x87), has(wanted, compacts ? Component.sse : Component.sse | Component.avx)];
	writeFxArea(core, bytes, {x87, sse, registers}, instruction.operandSize === 64);
	const header = at + BigInt(XsaveHeader.xstateBv);
	const upper = has(saved, Component.avx) ? readUpperHalves(core).subarray(0, registers * 16) : new Uint8Array();
	// Nothing is written unless all may be.
	const isWritable =
		mmu.canWrite(header, 1, isUser) &&
		(upper.length === 0 || mmu.canWrite(at + BigInt(ymmArea.start), upper.length, isUser));
	if (!isWritable) throw operandFault(parts, instruction.operands[0]);
	const write = (from: number, to: number) => {
		if (!mmu.writeBytes(at + BigInt(from), bytes.subarray(from, to), isUser))
			throw operandFault(parts, instruction.operands[0]);
	};
	const end = FxPlace.xmm + registers * 16;
	if (upper.length > 0) mmu.writeBytes(at + BigInt(ymmArea.start), upper, isUser);
	if (x87 && has(saved, Component.sse)) write(FxPlace.control, end);
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
	for (let place = reserved; place < xsaveHeaderEnd; place += 8)
		if (view.getBigUint64(place, true) !== 0n) return false;
	return (form & ~compacted & ~xcr0) === 0n && (state & ~form) === 0n;
}

function restore(parts: Parts, instruction: Instruction, mustBeCompacted: boolean): After {
	const {core, mmu, features} = parts;
	const at = area(parts, instruction, 'read');
	const bytes = new Uint8Array(xsaveAreaBytes);
	const view = new DataView(bytes.buffer);
	const wanted = requested(parts);
	const read = (from: number, to: number) => {
		if (!mmu.readBytes(at + BigInt(from), bytes.subarray(from, to), privilegeOf(core) === 3))
			throw operandFault(parts, instruction.operands[0]);
	};
	read(wanted === 0n ? XsaveHeader.xstateBv : 0, xsaveHeaderEnd);
	const isCompacted = has(view.getBigUint64(XsaveHeader.xcompBv, true), compacted) && features.has(Feature.xsavec);
	if ((mustBeCompacted && !isCompacted) || !isHeader(view, core.state.xcr0, isCompacted)) throw generalProtection();
	const held = view.getBigUint64(XsaveHeader.xstateBv, true);
	const registers = xmmRegisters(instruction);
	if (has(wanted & held, Component.avx)) read(ymmArea.start, ymmArea.start + registers * 16);
	completeArea(bytes, held, !isCompacted);
	const sse = has(wanted, Component.sse);
	const control = sse || (!isCompacted && has(wanted, Component.avx));
	if (control && (mxcsrOf(bytes) & ~mxcsrMask) !== 0) throw generalProtection();
	readFxArea(core, bytes, {x87: has(wanted, Component.x87), sse, registers}, instruction.operandSize === 64);
	if (control) core.state.mxcsr = mxcsrOf(bytes);
	if (has(wanted, Component.avx)) writeUpperHalves(core, bytes.subarray(ymmArea.start, ymmArea.start + registers * 16));
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
		if (low32(general(parts, Register.counter)) !== 0 || !isXcr0(value, parts.features)) throw generalProtection();
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
