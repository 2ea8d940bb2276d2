import type {Instruction} from '#vcpu-worker/software/decode';
import {fxAreaBytes} from '#vcpu-worker/software/state';
import {Cr0, Cr4, GuestFault, generalProtection, privilegeOf, Vector} from '#vcpu-worker/software/system/registers';
import {type FxParts, mxcsrMask, mxcsrOf, readFxArea, writeFxArea} from './fx-area.ts';
import {addressOf, operandFault, type SegmentAccess} from './operands.ts';
import type {After, Parts} from './parts.ts';

/** Bytes of the area that FXSAVE leaves alone: software may use them. */
const usedBytes = 416;

/** The instructions that save x87 and SSE at once (SDM volume 2, FXSAVE and FXRSTOR). */
export const fxInstructions = {
	fxsave: (parts: Parts, instruction: Instruction): After => {
		const {mmu, core} = parts;
		const at = area(parts, instruction, 'write');
		const bytes = new Uint8Array(fxAreaBytes);
		writeFxArea(core, bytes, partsOf(parts, instruction), instruction.operandSize === 64);
		if (!mmu.writeBytes(at, bytes.subarray(0, usedBytes), privilegeOf(core) === 3))
			throw operandFault(parts, instruction.operands[0]);
		return 'next';
	},
	fxrstor: (parts: Parts, instruction: Instruction): After => {
		const {mmu, core} = parts;
		const at = area(parts, instruction, 'read');
		const bytes = new Uint8Array(fxAreaBytes);
		if (!mmu.readBytes(at, bytes, privilegeOf(core) === 3)) throw operandFault(parts, instruction.operands[0]);
		const has = partsOf(parts, instruction);
		if (has.sse && (mxcsrOf(bytes) & ~mxcsrMask) !== 0) throw generalProtection();
		readFxArea(core, bytes, has, instruction.operandSize === 64);
		return 'next';
	},
};

/** Address of the operand, which is a multiple of 16. */
function area(parts: Parts, {operands: [operand], addressSize}: Instruction, access: SegmentAccess): bigint {
	if ((Number(parts.core.state.cr0) & (Cr0.EM | Cr0.TS)) !== 0) throw new GuestFault(Vector.deviceNotAvailable);
	const at = addressOf(parts, operand, addressSize, fxAreaBytes, access);
	if ((at & 15n) !== 0n) throw generalProtection();
	return at;
}

/** Without CR4.OSFXSR XMM registers may be left alone: they are. */
const partsOf = ({core}: Parts, {codeSize}: Instruction): FxParts => ({
	x87: true,
	sse: (Number(core.state.cr4) & Cr4.OSFXSR) !== 0,
	registers: codeSize === 64 ? 16 : 8,
});
