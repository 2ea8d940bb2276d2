/** Makes cases of a form: its machine code, and the state before it. */
import {placeAnywhere, placeElements, placeOperand} from './addressing.ts';
import type {CaseBuilder, Slot} from './case-builder.ts';
import {encode} from './encode.ts';
import {type Form, hasMemory, type Operand} from './form.ts';
import {regions, windowAddress} from './layout.ts';
import {fillMask, type Mask} from './mask.ts';
import {windowBytes} from './processor-state.ts';
import {roles} from './roles.ts';
import {beginVectors, fillOperands} from './vector-state.ts';

/** The instruction of a case. */
export interface GeneratedCode {
	readonly bytes: readonly number[];
	/** Its offset in the code window. */
	readonly start: number;
	/** Offsets at which the case may end, beside the end of the instruction. */
	readonly ends: readonly number[];
	/** With it, byte registers 4 to 7 are the low ones. */
	readonly hasRex: boolean;
	/** The register that ModRM.reg or the opcode names. */
	readonly reg: number;
	/** Operand that ModRM.rm names: a register, or memory at an offset of the window; -1 for what it does not. */
	readonly rm: number;
	readonly memoryOffset: number;
}

/** Makes one case: writes the state before it to `slot`, and to `mask` what the manual leaves undefined after it. */
export function generate(form: Form, slot: Slot, c: CaseBuilder, mask: Mask): GeneratedCode {
	const {random} = c;
	c.begin(form, slot);
	const {rm} = form;
	const role = form.role === undefined ? {} : roles[form.role];
	c.isMemory = rm !== undefined && (rm.kind === 'M' || (hasMemory(rm) && !random.oneIn(3)));
	c.rm = random.below(16);
	c.reg = form.digit ?? random.below(16);
	c.other = form.vex === undefined ? 0 : random.below(16);
	c.last = form.vex === undefined ? 0 : random.below(16);
	beginVectors(c);
	chooseModifiers(c);
	role.registers?.(c);
	const absolute = form.operands.find(({kind}) => kind === 'O');
	if (form.role === 'address') placeAnywhere(c);
	else if (form.role === 'gather') placeElements(c);
	else if (c.isMemory) {
		aim(c, rm as Operand);
		const wanted = c.target - c.beyond;
		placeOperand(c, BigInt.asUintN(c.isAddress32 ? 32 : 64, wanted));
	} else if (absolute !== undefined) aim(c, absolute);
	fillOperands(c);
	role.contents?.(c);
	const bytes = encode(c);
	fillMask(mask, c);
	return {
		bytes,
		start: c.start,
		ends: [...c.ends],
		hasRex: c.hasRex,
		reg: c.reg,
		rm: rm === undefined || c.isMemory ? -1 : c.rm,
		memoryOffset: c.targetOffset,
	};
}

function chooseModifiers(c: CaseBuilder): void {
	const {random, form} = c;
	const usesAddress =
		c.isMemory ||
		form.role === 'string' ||
		form.role === 'loop' ||
		form.role === 'translate' ||
		form.role === 'maskedStore' ||
		form.operands.some(({kind}) => kind === 'O');
	c.isAddress32 = usesAddress ? random.oneIn(12) : form.isStrict !== true && random.oneIn(60);
	c.isLocked = form.lock === true && c.isMemory ? random.oneIn(3) : form.isStrict !== true && random.oneIn(150);
	c.repeat = undefined;
	if (form.repeat !== undefined && !random.oneIn(3)) {
		c.repeat = form.repeat === 'repe' && random.oneIn(2) ? 0xf2 : 0xf3;
	}
}

/** Near an address where there is an exception, one that is aligned: another exception would come before it. */
function alignedFault(address: bigint, bytes: bigint): bigint {
	const down = address & -bytes;
	const isMapped = down >= regions.data.address && down < regions.data.address + regions.data.size;
	return isMapped ? down + bytes : down;
}

/** Chooses the address of the operand in memory, and puts a value there. */
function aim(c: CaseBuilder, {bytes}: Operand): void {
	const {form, random} = c;
	const isMisaligned = c.isFaulting && form.isAligned === true && form.isNeverMisaligned !== true && random.oneIn(2);
	if (c.isFaulting && !isMisaligned) {
		// Elements that are not masked would be written where there is a page.
		c.target =
			form.role === 'maskedMove' || (bytes > 16 && form.vex === undefined)
				? c.farFaultingAddress(bytes)
				: c.faultingAddress(bytes);
		if (form.isAligned === true) c.target = alignedFault(c.target, BigInt(bytes));
		return;
	}
	let address = c.addressInWindow(bytes);
	if (form.isAligned === true) {
		address -= address % bytes;
		if (isMisaligned) address += address + bytes < windowAddress + windowBytes ? 8 : -8;
	}
	c.target = BigInt(address);
	c.targetOffset = address - windowAddress;
	c.pokeInteresting(c.targetOffset, bytes);
}
